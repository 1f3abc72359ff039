"""Stacks other than the thread's own, and stacks that two processes share."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import SOME, assert_complete, profile, profile_command

OWN = "(anonymous namespace)::"
BURN = f"{OWN}burn()"
COROUTINE = (f"{OWN}resume_coroutine()", f"{OWN}routine")
CHAINS: dict[str, tuple[str, ...]] = {
    "coroutine": ("main", *COROUTINE, BURN),
    "ucontext": (f"{OWN}routine_in_context()", BURN),
    "fiber": ("start_fiber", f"{OWN}routine_in_fiber()", BURN),
    "borrowed": (
        "main",
        f"{OWN}borrow_stacks()",
        "call_on_stack",
        f"{OWN}routine_below()",
        "call_on_stack",
        f"{OWN}routine_above()",
        BURN,
    ),
}
OUTERMOST = {"coroutine": "_start", "borrowed": "_start", "fiber": "start_fiber"}
SHARE = 0.97  # switching takes time as well


def has_chain(stack: tuple[str, ...], chain: tuple[str, ...]) -> bool:
    """True when frames that begin like these call each other."""
    return any(
        all(frame.startswith(name) for frame, name in zip(stack[at:], chain, strict=False))
        for at in range(1, len(stack) - len(chain) + 1)
    )


@pytest.mark.parametrize("kind", CHAINS)
def test_other_stacks(kind: str) -> None:
    with targets.running("stacks", kind, variant="cpp20") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    assert done.count(lambda stack: has_chain(stack, CHAINS[kind])) >= SHARE * done.total
    if kind in OUTERMOST:
        assert done.count(lambda stack: stack[1] == OUTERMOST[kind]) >= SHARE * done.total


def test_a_main_with_a_realigned_stack() -> None:
    with targets.running("drap") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    assert done.count_calls("main", "burn") >= SHARE * done.total


def test_vfork_itself() -> None:
    with targets.running("vforker", 0) as target:
        done = profile("-p", target.pid, "--no-inherit")
    assert_complete(done)
    below = done.count_calls("main", "make_child", "vfork")
    assert below >= SOME
    assert below >= 0.8 * done.total


def test_the_child_of_vfork_on_its_parents_stack() -> None:
    done = profile_command(targets.build("vforker"), 2)
    assert done.stats["samples"]["lost"] == 0
    assert done.complete_share >= 0.98, done.stops
    assert done.count_calls("main", "make_child", "child_work") >= 0.85 * done.total
