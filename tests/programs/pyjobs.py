"""Truth: all work is in `job`, each for about 2 ms in a thread of its own."""

from __future__ import annotations

import threading


def job() -> None:
    """The work."""
    total = 0
    for number in range(30_000):
        total += number


if __name__ == "__main__":
    print("ready", flush=True)
    while True:
        thread = threading.Thread(target=job)
        thread.start()
        thread.join()
