"""A process lives as long as any of its threads: its first one ends before or during the run."""

from __future__ import annotations

import json

import pytest

from ebprof.procfs import process
from tests import targets
from tests.live.profiled import (
    SECONDS,
    SOME,
    Profiled,
    assert_complete,
    assert_share,
    count_events,
    profile,
    profile_command,
    run,
)

BEATS_A_SECOND, SECONDS_OF_CALLS = 100, 5
EXPECTED = BEATS_A_SECOND * SECONDS_OF_CALLS
LEAVE_MS = 3000
"""Long enough for a run to be under way by then."""


def assert_named(done: Profiled) -> None:
    """Both workers are there, and their stacks lead from the start of the thread to its work."""
    for name in ("sixty", "forty"):
        assert done.count_comm(name) > SOME
        assert done.count_calls(f"run_{name}", f"work_{name}") >= 0.9 * done.count_comm(name)


def assert_split(done: Profiled) -> None:
    assert_complete(done)
    assert_named(done)
    working = done.count_comm("sixty") + done.count_comm("forty")
    assert_share(done.count_comm("sixty"), working, 0.6, slack=0.03)


@pytest.mark.parametrize("leave_ms", [0, LEAVE_MS], ids=["before", "during"])
def test_a_process(leave_ms: int) -> None:
    with targets.running("headless", leave_ms) as target:
        done = profile("-p", target.pid, seconds=LEAVE_MS / 1000 + 1.5)
        assert process.living_thread(target.pid) not in (None, target.pid)
    assert_split(done)


@pytest.mark.parametrize("leave_ms", [0, LEAVE_MS], ids=["before", "during"])
def test_the_whole_machine(leave_ms: int) -> None:
    """One name alone: all samples of a busy machine might not find room."""
    with targets.running("headless", leave_ms):
        done = profile("-a", "--comm", "sixty", seconds=LEAVE_MS / 1000 + 1.5)
    assert done.total > SOME
    assert done.count_calls("run_sixty", "work_sixty") >= 0.9 * done.total


def test_one_thread_of_such_a_process() -> None:
    with targets.running("headless") as target:
        tid = next(tid for tid in process.threads(target.pid) if process.comm(tid) == "sixty")
        done = profile("-t", tid)
    assert done.total > SOME
    assert_complete(done)
    assert done.count_calls("run_sixty", "work_sixty") >= 0.9 * done.total


def test_a_command_runs_until_its_last_thread_has_ended() -> None:
    done = profile_command(targets.build("headless"), SECONDS, 500)
    assert done.stats["duration_seconds"] > 0.9 * SECONDS
    assert_split(done)


@pytest.mark.parametrize("leave_ms", [0, LEAVE_MS], ids=["before", "during"])
def test_top(leave_ms: int) -> None:
    with targets.running("headless", leave_ms) as target:
        done = run("top", "-p", target.pid, "-F", 499, "--json", 1, 5)
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    functions = {(row["name"], row["module"]) for row in last["rows"]}
    assert {("work_sixty", "headless"), ("work_forty", "headless")} <= functions
    assert last["complete_share"] >= 0.99


@pytest.mark.parametrize("event", ["u:{path}:beat", "u:beat"])
@pytest.mark.parametrize("leave_ms", [0, LEAVE_MS], ids=["before", "during"])
def test_calls_of_a_function(event: str, leave_ms: int) -> None:
    with targets.running("headless", leave_ms) as target:
        done = count_events(
            event.format(path=target.path), "-p", target.pid, "-d", SECONDS_OF_CALLS
        )
    assert 0.8 * EXPECTED < done.total <= 1.05 * EXPECTED
    assert done.count_calls("run_beat", "beat") == done.total
