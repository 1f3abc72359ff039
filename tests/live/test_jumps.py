"""Ways out of deep calls, while they are under way: exceptions, panics, longjmp."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, Profiled, assert_complete, assert_share, profile

# While libgcc puts the handler's registers where its own function saved the caller's, no unwinder
# can find that caller by its frame pointer.
COMPLETE_SHARES = {"exception": 0.98, "rethrow": 0.8, "longjmp": COMPLETE_SHARE}
DEPTH = 20


def assert_accounted(done: Profiled, complete_share: float) -> None:
    """Nothing was lost, and what did not reach the outermost frame says why."""
    assert done.stats["samples"]["lost"] == 0
    assert done.stats["samples"]["total"] == done.total == sum(done.stops.values())
    assert done.complete_share >= complete_share, done.stops


@pytest.mark.parametrize("way", COMPLETE_SHARES)
def test_stacks_of_jumps(way: str) -> None:
    with targets.running("jumps", way) as target:
        done = profile("-p", target.pid)
    share = COMPLETE_SHARES[way]
    assert_accounted(done, share)
    jump = f"(anonymous namespace)::jump_by_{way}()"
    whole = done.count(lambda stack: "main" in stack and jump in stack)
    assert whole >= (share - 0.01) * done.total


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
