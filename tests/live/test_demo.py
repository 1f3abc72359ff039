"""The README's demo shows what the README says."""

from __future__ import annotations

from tests import targets
from tests.live.profiled import Profiled, assert_complete, assert_share, profile


def test_hot_functions_have_their_measured_share() -> None:
    with targets.running("demo") as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    workers = done.count_comm("worker")
    for function, share in targets.SHARES.items():
        assert_share(calls_of(done, function), workers, share, slack=0.08)
    assert done.count_comm("compactor") > 0
    assert done.count_comm("listener") > 0


def calls_of(done: Profiled, function: str) -> int:
    """The workers' samples with a function on the stack, whatever its ABI tag and parameters."""
    return done.count(
        lambda stack: stack[0] == "worker" and any(f.startswith(function) for f in stack)
    )
