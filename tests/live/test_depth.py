"""Every frame of a recursion of known depth, and an honest end where it is too deep."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, Profiled, assert_complete, profile

MAX_USER_FRAMES = 512


def count_with_depth(done: Profiled, depth: int) -> int:
    return done.count(lambda stack: stack.count("descend") == depth)


@pytest.mark.parametrize("depth", [2, 31, 100, pytest.param(500, marks=pytest.mark.vm)])
@pytest.mark.parametrize("variant", ["default", "fp", "fp_only"])
def test_every_frame_is_there(depth: int, variant: str) -> None:
    with targets.running("recursion", depth, variant=variant) as target:
        done = profile("-p", target.pid, seconds=1)
    assert_complete(done)
    assert count_with_depth(done, depth) >= COMPLETE_SHARE * done.total


@pytest.mark.vm
def test_deeper_stacks_keep_their_innermost_frames_and_say_so() -> None:
    with targets.running("recursion", 600) as target:
        done = profile("-p", target.pid, seconds=1)
    assert done.stops["truncated"] >= COMPLETE_SHARE * done.total
    kept = done.count(
        lambda stack: "leaf" in stack and stack.count("descend") == MAX_USER_FRAMES - 1
    )
    assert kept >= COMPLETE_SHARE * done.total
