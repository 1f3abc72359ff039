"""Go: no call frame information, but a table of its own, and stacks of its own."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, assert_complete, assert_most, assert_share, profile

DEPTH = 20
CLOSURES = ("main.calls", "main.closures", "main.apply", "main.closures.func1", "main.burn")
RECURSION = ("main.calls", *["main.recurse"] * DEPTH, "main.burn")
SLACK = 0.03  # the runtime's own threads


@pytest.mark.parametrize(
    ("kind", "caller"), [("calls", "main.main"), ("spawn", "main.spawn.func1")]
)
def test_functions_have_their_share(kind: str, caller: str) -> None:
    with targets.running("gowork", kind) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    work = done.count_of("main.calls")
    assert_most(work, done.total, 0.8)
    assert_share(done.count_calls(caller, *CLOSURES), work, 0.5, slack=SLACK)
    assert_share(done.count_calls(caller, *RECURSION), work, 0.5, slack=SLACK)
    assert done.count(lambda stack: "main.calls" in stack and "goexit" in stack[1]) == work


def test_the_garbage_collectors_own_stacks() -> None:
    with targets.running("gowork", "garbage") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    marking = done.count(lambda stack: any(name.startswith("runtime.gcDrain") for name in stack))
    assert_most(marking, done.total, 0.1)
    to_goroutine = done.count(
        lambda stack: (
            any(name.startswith("runtime.gcDrain") for name in stack) and "goexit" in stack[1]
        )
    )
    assert_most(to_goroutine, marking, COMPLETE_SHARE)


@pytest.mark.parametrize("variant", ["stripped", "stripped_pie"])
def test_a_stripped_program(variant: str) -> None:
    with targets.running("gowork", "calls", variant=variant) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    work = done.count_of("main.calls")
    assert_most(work, done.total, 0.8)
    assert_share(done.count_calls("main.main", *CLOSURES), work, 0.5, slack=SLACK)
    assert_share(done.count_calls("main.main", *RECURSION), work, 0.5, slack=SLACK)
    assert done.count(lambda stack: "main.calls" in stack and "goexit" in stack[1]) == work


@pytest.mark.parametrize("variant", ["stripped", "stripped_internal"])
def test_calls_of_c(variant: str) -> None:
    """Where Go's linker linked C, there is no unwind information for it."""
    with targets.running("gocalls", variant=variant) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    calls = done.count(
        lambda stack: "main.main" in stack and "main.call" in stack and "_Cfunc_work" in stack[-1]
    )
    assert_most(calls, done.total, 0.95)
