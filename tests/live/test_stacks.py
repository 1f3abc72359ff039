"""Stacks that two processes share; other stacks than a thread's own are rows of test_chains.py."""

from __future__ import annotations

from tests import targets
from tests.live.profiled import SOME, assert_complete, profile, profile_command


def test_vfork_itself() -> None:
    with targets.running("vforker", 0) as target:
        done = profile("-p", target.pid, "--no-inherit")
    assert_complete(done)
    below = done.count_calls("main", "make_child", "vfork")
    assert below >= SOME
    assert below >= 0.8 * done.total


def test_the_child_of_vfork_on_its_parents_stack() -> None:
    done = profile_command(targets.build("vforker"), 2)
    assert done.stats["samples"]["lost"] == 0
    assert done.complete_share >= 0.98, done.stops
    assert done.count_calls("main", "make_child", "child_work") >= 0.85 * done.total
