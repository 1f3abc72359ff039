"""Lazy binding: below the dynamic linker's resolver, whose frame is found by rbx alone."""

from __future__ import annotations

import platform

import pytest

from tests import targets
from tests.live.profiled import assert_complete, assert_most, profile

RESOLVER = "_dl_runtime_resolve"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc: it has another resolver")
def test_stacks_go_through_the_resolver() -> None:
    with targets.running("lazy", variant="lazy") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    below = done.count(lambda stack: any(frame.startswith(RESOLVER) for frame in stack[:-1]))
    assert_most(below, done.total, 0.1)  # not only in it, where rbx is a register
    whole = done.count(lambda stack: "main" in stack and "call_all" in stack)
    assert_most(whole, done.total, 0.97)
