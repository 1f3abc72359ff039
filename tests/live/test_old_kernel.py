"""What kernels run that lack bpf_loop finds the same stacks, on any kernel."""

from __future__ import annotations

from typing import Any

import pytest

from tests import needed, targets
from tests.live.profiled import (
    COMPLETE_SHARE,
    Profiled,
    assert_complete,
    assert_leads_back,
    assert_most,
    profile,
)

MAX_USER_FRAMES = 512
BELOW_DESCEND = 5
"""Frames besides `descend`: leaf, main and the C library's."""
STEPS_A_CALL = 16


@pytest.fixture(autouse=True)
def lockdown() -> None:
    """Kernel memory is read by address there."""
    needed.skip_without("lockdown")


def profile_old(*options: object, **how: Any) -> Profiled:
    return profile(*options, module="tests.live.old_kernel", **how)


def assert_depth(done: Profiled, depth: int) -> None:
    right = done.count(lambda stack: stack.count("descend") == depth)
    assert_most(right, done.total, COMPLETE_SHARE)


@pytest.mark.parametrize("frames", [STEPS_A_CALL - 1, STEPS_A_CALL, STEPS_A_CALL + 1, 505])
def test_every_frame_is_there(frames: int) -> None:
    depth = frames - BELOW_DESCEND
    with targets.running("recursion", depth) as target:
        done = profile_old("-p", target.pid)
    assert_complete(done)
    assert_depth(done, depth)


@pytest.mark.vm
def test_deeper_stacks_keep_their_innermost_frames_and_say_so() -> None:
    with targets.running("recursion", 600) as target:
        done = profile_old("-p", target.pid)
    assert_most(done.stops["truncated"], done.total, COMPLETE_SHARE)
    assert_depth(done, MAX_USER_FRAMES - 1)


@pytest.mark.vm
@pytest.mark.parametrize(("mode", "caller"), [("read", "read_zeros"), ("getppid", "ask_parent")])
def test_system_calls_lead_back_to_main(mode: str, caller: str) -> None:
    with targets.running("syscalls", mode) as target:
        done = profile_old("-p", target.pid)
    assert_complete(done)
    assert_leads_back(done, "main", "handle", caller)
