"""Threads by name, and threads alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import targets
from tests.live.profiled import SOME, assert_complete, assert_most, assert_share, profile

CLONE = ("clone3", "__clone3", "clone", "__clone")
SPLIT = {"heavy": 0.6, "medium": 0.3, "light": 0.1}


def test_threads_have_their_names_and_shares() -> None:
    with targets.running("threads") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    for name, share in SPLIT.items():
        assert_share(done.count_comm(name), done.total, share, slack=0.03)
        assert_most(done.count_in(name, f"work_{name}"), done.count_comm(name), 0.9)


@pytest.mark.vm
def test_one_thread_alone() -> None:
    with targets.running("threads") as target:
        done = profile("-t", thread_named(target.pid, "medium"), work_of=[target.pid])
    assert done.total >= SOME
    assert done.count_comm("medium") == done.total


def test_threads_chosen_by_name() -> None:
    with targets.running("threads") as target:
        done = profile("--comm", "light", work_of=[target.pid], work=1.5)
    assert done.total >= SOME
    assert done.count_comm("light") == done.total


@pytest.mark.parametrize("variant", ["default", "static", "musl_static"])
def test_a_thread_for_each_job(variant: str) -> None:
    """Samples while a thread is started are in the one that starts it, or in the new one."""
    with targets.running("starter", variant=variant) as target:
        done = profile("--comm", "starter", "-U", work_of=[target.pid], work=1)
    assert_complete(done)
    starting = done.count(lambda stack: stack[-1] in CLONE)
    assert starting >= SOME
    assert done.count_calls("main", "start_job") >= SOME
    for stack in done.stacks:
        assert "main" in stack or "start_job" not in stack, stack
        assert "main" not in stack or "run" not in stack, stack


def thread_named(pid: int, name: str) -> int:
    """ID of a process's thread."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise AssertionError(f"no thread {name}")
