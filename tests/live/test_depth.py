"""Every frame of a deep recursion, and an honest end where it is too deep.

Other depths are rows of test_chains.py.
"""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, Profiled, assert_complete, profile

MAX_USER_FRAMES = 512
DEPTH = 500


def count_with_depth(done: Profiled, depth: int) -> int:
    return done.count(lambda stack: stack.count("descend") == depth)


@pytest.mark.vm
def test_every_frame_is_there() -> None:
    with targets.running("recursion", DEPTH) as target:
        done = profile("-p", target.pid, seconds=1)
    assert_complete(done)
    assert count_with_depth(done, DEPTH) >= COMPLETE_SHARE * done.total


@pytest.mark.vm
def test_deeper_stacks_keep_their_innermost_frames_and_say_so() -> None:
    with targets.running("recursion", 600) as target:
        done = profile("-p", target.pid, seconds=1)
    assert done.stops["truncated"] >= COMPLETE_SHARE * done.total
    kept = done.count(
        lambda stack: "leaf" in stack and stack.count("descend") == MAX_USER_FRAMES - 1
    )
    assert kept >= COMPLETE_SHARE * done.total
