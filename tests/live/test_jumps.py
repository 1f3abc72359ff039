"""Panics while they are under way; other ways out of deep calls are rows of test_chains.py."""

from __future__ import annotations

from tests import targets
from tests.live.profiled import Profiled, assert_complete, assert_share, profile

DEPTH = 20


def assert_accounted(done: Profiled, complete_share: float) -> None:
    """Nothing was lost, and what did not reach the outermost frame says why."""
    assert done.stats["samples"]["lost"] == 0
    assert done.stats["samples"]["total"] == done.total == sum(done.stops.values())
    assert done.complete_share >= complete_share, done.stops


def test_destructors_run_by_a_panic() -> None:
    with targets.running("panics") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    assert done.count_calls("panics::main", "panics::catch") >= 0.99 * done.total
    assert_share(done.count_calls("panics::catch", "panics::burn"), done.total, 0.5, slack=0.02)
    unwinding = done.count(
        lambda stack: stack.count("panics::panic_deep") == DEPTH + 1 and "panics::burn" in stack
    )
    assert_share(unwinding, done.total, 0.5, slack=0.02)


def test_panicking_itself() -> None:
    with targets.running("panics", "machinery") as target:
        done = profile("-p", target.pid)
    assert_accounted(done, 0.9)
    assert done.count_calls("panics::main", "panics::catch") >= 0.9 * done.total
