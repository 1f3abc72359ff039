"""Every frame of a deep recursion, and an honest end where it is too deep.

Other depths are rows of test_chains.py.
"""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, Profiled, assert_complete, assert_most, profile

MAX_USER_FRAMES = 512
DEPTH = 500


def count_with_depth(done: Profiled, depth: int) -> int:
    return done.count(lambda stack: stack.count("descend") == depth)


@pytest.mark.vm
def test_every_frame_is_there() -> None:
    with targets.running("recursion", DEPTH) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    assert_most(count_with_depth(done, DEPTH), done.total, COMPLETE_SHARE)


@pytest.mark.vm
def test_deeper_stacks_keep_their_innermost_frames_and_say_so() -> None:
    with targets.running("recursion", 600) as target:
        done = profile("-p", target.pid)
    assert_most(done.stops["truncated"], done.total, COMPLETE_SHARE)
    kept = done.count(
        lambda stack: "leaf" in stack and stack.count("descend") == MAX_USER_FRAMES - 1
    )
    assert_most(kept, done.total, COMPLETE_SHARE)
