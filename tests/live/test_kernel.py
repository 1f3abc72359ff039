"""Samples in the kernel have a user part, and either part can be left out."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import SOME, assert_complete, assert_most, profile

pytestmark = pytest.mark.vm

CALLERS = ("main", "serve", "handle")


def in_kernel(stack: tuple[str, ...]) -> bool:
    return stack[-1].endswith("_[k]")


@pytest.mark.parametrize(
    ("mode", "caller"),
    [("read", "read_zeros"), ("getppid", "ask_parent"), ("raise", "raise_signals")],
)
def test_system_calls_lead_back_to_main(mode: str, caller: str) -> None:
    with targets.running("syscalls", mode) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    kernel = done.count(in_kernel)
    assert_most(kernel, done.total, 0.8 if mode == "read" else 0.3)
    whole = done.count(
        lambda s: in_kernel(s) and caller in s and all(name in s for name in CALLERS)
    )
    assert_most(whole, kernel, 0.99)


def test_kernel_functions_have_names() -> None:
    with targets.running("syscalls", "read") as target:
        done = profile("-p", target.pid)
    assert_most(done.count_of("read_zero_[k]"), done.total, 0.5)


def test_user_side_only() -> None:
    with targets.running("syscalls", "read") as target:
        done = profile("-p", target.pid, "-U")
    assert done.total >= SOME
    assert done.count(lambda stack: any(frame.endswith("_[k]") for frame in stack)) == 0


def test_kernel_side_only() -> None:
    with targets.running("syscalls", "read") as target:
        done = profile("-p", target.pid, "-K")
    assert done.total >= SOME
    assert (
        done.count(lambda stack: all(frame.endswith("_[k]") for frame in stack[1:])) == done.total
    )
