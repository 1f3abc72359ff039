"""Processes that come while ebprof watches: children, other programs, many short ones."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import (
    SOME,
    Profiled,
    assert_complete,
    assert_most,
    assert_share,
    profile,
    profile_command,
)

SPLIT = {"forker": 0.4, "forked": 0.3, "execed": 0.3}
WORK = {"forker": "work_parent", "forked": "work_forked", "execed": "work_execed"}


def check(done: Profiled, slack: float) -> None:
    for name, share in SPLIT.items():
        work = done.count_in(name, WORK[name])
        assert_share(work, done.total, share, slack=slack)


def test_command_and_its_children() -> None:
    """Turns of random lengths, which are many even where the program has a CPU for one second."""
    done = profile_command(targets.build("forker"), 3, 40)
    check(done, slack=0.03)
    assert_complete(done)


def test_a_process_alone_without_its_children() -> None:
    with targets.running("forker", 200) as target:
        done = profile("-p", target.pid, "--no-inherit")
    assert done.count_of("work_parent") >= SOME
    assert done.count_of("work_forked") + done.count_of("work_execed") == 0
    assert_complete(done)


@pytest.mark.parametrize("turns", [10, 30])
def test_short_lived_children(turns: int) -> None:
    done = profile_command(targets.build("forker"), 3, turns)
    check(done, slack=0.10)
    assert done.stats["samples"]["lost"] == 0
    assert done.complete_share >= 0.98, done.stops


@pytest.mark.vm
def test_command_from_its_first_instruction() -> None:
    done = profile_command(targets.build("split"), 1)
    assert_complete(done)
    assert_share(done.count_of("sixty"), done.total, 0.6, slack=0.1)


def test_whole_machine() -> None:
    with targets.running("split") as target, targets.running("rustwork") as other:
        done = profile("-a", work_of=[target.pid, other.pid])
    split, rust = done.count_comm("split"), done.count_comm("rustwork")
    assert min(split, rust) > SOME
    assert_share(done.count_of("sixty"), split, 0.6, slack=0.02)
    assert_most(done.count_of("rustwork::burn"), rust, 0.95)
