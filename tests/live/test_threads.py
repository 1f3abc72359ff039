"""Threads by name, and threads alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import targets
from tests.live.profiled import SOME, assert_complete, assert_share, profile

SPLIT = {"heavy": 0.6, "medium": 0.3, "light": 0.1}


def test_threads_have_their_names_and_shares() -> None:
    with targets.running("threads") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    for name, share in SPLIT.items():
        assert_share(done.count_comm(name), done.total, share, slack=0.03)
        work = done.count_in(name, f"work_{name}")
        assert work >= 0.9 * done.count_comm(name)


@pytest.mark.vm
def test_one_thread_alone() -> None:
    with targets.running("threads") as target:
        done = profile("-t", thread_named(target.pid, "medium"))
    assert done.total >= SOME
    assert done.count_comm("medium") == done.total


def test_threads_chosen_by_name() -> None:
    with targets.running("threads"):
        done = profile("--comm", "light", seconds=6)
    assert done.total >= SOME
    assert done.count_comm("light") == done.total


def thread_named(pid: int, name: str) -> int:
    """ID of a process's thread."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise AssertionError(f"no thread {name}")
