"""Truth: half of the samples have `loops` below `work`, half `recurse`, 20 calls deep."""

from __future__ import annotations

DEPTH = 20


def burn() -> int:
    """The work."""
    total = 0
    for number in range(10_000):
        total += number
    return total


def loops() -> int:
    """One half."""
    return burn() + 1


def recurse(depth: int) -> int:
    """The other."""
    return (recurse(depth - 1) if depth > 1 else burn()) + 1


def work() -> int:
    """Both."""
    return loops() + recurse(DEPTH)


if __name__ == "__main__":
    print("ready", flush=True)
    while True:
        work()
