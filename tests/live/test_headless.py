"""A process lives as long as any of its threads: its first one ends before or during the run."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ebprof.procfs import process
from tests import targets
from tests.live.profiled import (
    SOME,
    WORK_SECONDS,
    Profiled,
    Until,
    assert_complete,
    assert_most,
    assert_share,
    count_events,
    profile,
    profile_command,
    run,
)
from tests.live.waiting import (
    wait_for_work,
    wait_until,
    wait_until_counting,
    wait_until_sampling,
)

BEATS_A_SECOND = 100
COMMAND_SECONDS = 2
LEAVES_AFTER_MS = {"before": 0, "during": 3_600_000}
"""Of the first thread, unless it is told to leave."""

pytestmark = pytest.mark.parametrize("when", LEAVES_AFTER_MS)


@contextmanager
def headless(when: str) -> Iterator[targets.Running]:
    with targets.running("headless", LEAVES_AFTER_MS[when]) as target:
        yield target


def until_it_left(pid: int, when: str, has_begun: Until = wait_until_sampling) -> Until:
    """Until some work is sampled, and some after the first thread has left if it has not yet."""

    def wait(recorder: int) -> None:
        has_begun(recorder)
        wait_for_work([pid], WORK_SECONDS)
        if when == "during":
            os.kill(pid, signal.SIGUSR1)
            wait_until(lambda: process.living_thread(pid) != pid, "left by its first thread")
            wait_for_work([pid], WORK_SECONDS)

    return wait


def assert_named(done: Profiled) -> None:
    """Both workers are there, and their stacks lead from the start of the thread to its work."""
    for name in ("sixty", "forty"):
        assert_most(done.count_calls(f"run_{name}", f"work_{name}"), done.count_comm(name), 0.9)


def assert_split(done: Profiled) -> None:
    assert_complete(done)
    assert_named(done)
    working = done.count_comm("sixty") + done.count_comm("forty")
    assert_share(done.count_comm("sixty"), working, 0.6, slack=0.03)


def test_a_process(when: str) -> None:
    with headless(when) as target:
        done = profile("-p", target.pid, until=until_it_left(target.pid, when))
        assert process.living_thread(target.pid) != target.pid
    assert_split(done)


def test_the_whole_machine(when: str) -> None:
    """One name alone: all samples of a busy machine might not find room."""
    with headless(when) as target:
        done = profile("-a", "--comm", "sixty", until=until_it_left(target.pid, when))
    assert done.total > SOME
    assert_most(done.count_calls("run_sixty", "work_sixty"), done.total, 0.9)


def test_one_thread_of_such_a_process(when: str) -> None:
    with headless(when) as target:
        tid = next(tid for tid in process.threads(target.pid) if process.comm(tid) == "sixty")
        done = profile("-t", tid, until=until_it_left(target.pid, when))
    assert_complete(done)
    assert_most(done.count_calls("run_sixty", "work_sixty"), done.total, 0.9)


def test_a_command_runs_until_its_last_thread_has_ended(when: str) -> None:
    leave_ms = {"before": 0, "during": COMMAND_SECONDS * 250}[when]
    done = profile_command(targets.build("headless"), COMMAND_SECONDS, leave_ms)
    assert done.stats["duration_seconds"] > 0.9 * COMMAND_SECONDS
    assert_split(done)


def test_top(when: str) -> None:
    with headless(when) as target:
        words = ("top", "-p", target.pid, "-F", 499, "--json", 1)
        done = run(*words, until=until_it_left(target.pid, when))
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    functions = {(row["name"], row["module"]) for one in reports for row in one["rows"]}
    assert {("work_sixty", "headless"), ("work_forty", "headless")} <= functions
    shares = [one["complete_share"] for one in reports if one["samples"]]
    assert shares[-1] >= 0.99


@pytest.mark.parametrize("event", ["u:{path}:beat", "u:beat"])
def test_calls_of_a_function(event: str, when: str) -> None:
    """The clock beats, and a beat that comes late is not left out."""
    with headless(when) as target:
        until = until_it_left(target.pid, when, wait_until_counting)
        done = count_events(event.format(path=target.path), "-p", target.pid, until=until)
    expected = BEATS_A_SECOND * done.stats["duration_seconds"]
    assert 0.8 * expected - 1 < done.total <= 1.05 * expected + 1
    assert done.count_calls("run_beat", "beat") == done.total
