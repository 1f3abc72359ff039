"""`ebprof top` on a real terminal, and into a pipe, over a program whose shares are known."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from subprocess import DEVNULL, PIPE

import pytest

from tests import targets
from tests.forked import Forked
from tests.live.profiled import FREQUENCY, SOME, assert_share, run
from tests.live.terminal import Terminal, terminal

HOT = "kv::compress"
IDLE_WITHIN_S = 60


@pytest.fixture(scope="module")
def demo() -> Iterator[targets.Running]:
    """One program for all tests: each looks at it in a terminal of its own."""
    with targets.running("demo") as running, targets.resting(running.pid):
        yield running


@pytest.fixture
def table(demo: targets.Running) -> Iterator[Terminal]:
    """A live table with the hottest functions in it."""
    with terminal() as opened:
        opened.run("top", "-p", demo.pid, "-F", 499, "--no-inline")
        opened.until(lambda lines: HOT in lines[2] + lines[3] + lines[4])
        yield opened


def row(lines: list[str], name: str) -> list[str]:
    """The words of the row of a function."""
    return next(one for one in lines[2:] if f" {name}" in one).split()


def select(opened: Terminal, name: str) -> None:
    """Sort by name of what holds a text, and select the first one."""
    opened.press("/")
    opened.until_text("filter: _")
    opened.press(*name, "Enter")
    opened.until(lambda lines: lines[-1].startswith(f"filter: {name}  ("))
    opened.press("Down")


def test_functions_have_their_shares(table: Terminal) -> None:
    lines = table.until(lambda lines: int(row(lines, HOT)[2].replace(",", "")) >= SOME)
    share = float(row(lines, HOT)[1]) / 100
    samples = int(row(lines, HOT)[2].replace(",", "")) * 100 / float(row(lines, HOT)[0])
    assert_share(round(share * samples), round(samples), targets.SHARES[HOT], slack=0.08)
    assert re.match(
        r"ebprof top: PID \d+, [\w-]+ at 499 Hz, [\d,]+ samples/s, \d\.\d\d cores of \d+, ",
        lines[0],
    )
    assert lines[1].split()[-2:] == ["LAST", "MINUTE"] and "SELF %▼" in lines[1]
    assert re.match(r"last 10 s  \d+ shown, \d+ hidden  lost 0  ", lines[-2])


def test_callers_and_callees(table: Terminal) -> None:
    select(table, "compress")
    table.press("Enter")
    lines = table.until(
        lambda lines: " CALLEES " in "".join(lines) and "match_length" in str(lines)
    )
    assert lines[1].startswith(f"{HOT}") and "(demo)  self " in lines[1]
    table.press("Down", "Enter")
    table.until(lambda lines: lines[1].startswith("std::") and HOT in "".join(lines[5:8]))
    table.press("BSpace")
    table.until(lambda lines: lines[1].startswith(HOT))
    table.press("Left")
    table.until_text("sort self")


def test_threads_and_their_functions(table: Terminal) -> None:
    table.press("4")
    table.until(lambda lines: "by thread" in lines[0] and "compactor" in str(lines))
    select(table, "compactor")
    table.press("Enter")
    lines = table.until(lambda lines: "in compactor (" in lines[0] and "sort" in str(lines[2:-2]))
    assert not any(HOT in one for one in lines)


def test_orders_windows_and_a_frozen_table(table: Terminal) -> None:
    table.press("s")
    table.until(lambda lines: "sort total" in lines[0] and "TOTAL %▼" in lines[1])
    table.press("a")
    table.until(lambda lines: lines[-2].startswith("whole run"))
    table.press("f")
    frozen = table.until_text("FROZEN")
    assert table.until(lambda lines: True) == frozen
    table.press("f")
    table.until(lambda lines: "FROZEN" not in lines[0] and lines[2:-2] != frozen[2:-2])


def test_the_last_screen_stays_in_the_scrollback(demo: targets.Running) -> None:
    with terminal() as opened:
        opened.press("echo before", "Enter")
        opened.run("top", "-p", demo.pid)
        opened.until_text(HOT)
        opened.press("q")
        opened.until(lambda lines: [one for one in lines if one][-1] == "$")
        shown = opened.scrollback()
        assert shown.index("before") < shown.index("ebprof top: PID") < shown.index(HOT)


def test_a_command_ends_it_and_does_not_write_over_it() -> None:
    with terminal() as opened:
        command = (
            "sh -c 'i=0; while [ $i -lt 1500000 ]; do i=$((i+1)); done; echo mark${i}er; exit 3'"
        )
        opened.run("top", "--", command, "; echo code $?")
        opened.until(lambda lines: "code 3" in lines)
        assert "mark1500000er" not in opened.scrollback()
        assert "ebprof top: sh" in opened.scrollback()


@pytest.mark.parametrize("columns", [60, 80, 230])
def test_a_new_size_is_filled(columns: int, table: Terminal) -> None:
    table.resize(columns, 15)
    lines = table.until(lambda lines: len(lines) == 15 and lines[-1].startswith("s sort"))
    assert lines[0].startswith("ebprof top: PID") and "FUNCTION" in lines[1]


def test_json_counts_what_is_sampled(demo: targets.Running) -> None:
    done = run("top", "-p", demo.pid, "-F", FREQUENCY, "--no-inline", "--json", 1, 3)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 3
    assert all(one["lost"] == 0 for one in found)
    for one in found:
        assert sum(row["self"] for row in one["rows"]) == one["samples"]
    total = sum(one["samples"] for one in found)
    hot = sum(row["total"] for one in found for row in one["rows"] if row["name"].startswith(HOT))
    assert_share(hot, total, targets.SHARES[HOT], slack=0.08)


def counted() -> str:
    """The event `counted`, which two threads of `calls` do, each in its own way."""
    return f"u:{targets.build('calls')}:counted"


def test_calls_of_a_function_have_its_callers() -> None:
    with targets.running("calls") as program:
        words = ("top", "-e", counted(), "-p", program.pid, "--json", 1, 2)
        done = run(*words)
        halves = run(*words[:5], "-c", 2, *words[5:])
    assert done.returncode == halves.returncode == 0, done.stderr + halves.stderr
    for one, period in ((done, 1), (halves, 2)):
        found = [json.loads(line) for line in one.stdout.splitlines()]
        assert len(found) == 2
        for report in found:
            samples = report["samples"]
            self_counts = {row["name"]: row["self"] for row in report["rows"]}
            assert samples >= SOME and self_counts["counted"] == samples
            callers = {row["name"]: row["total"] for row in report["rows"]}
            assert callers["from_left"] + callers["from_right"] == samples
            assert (report["event"], report["unit"]) == ("probe_calls:counted", "count")
            assert (report["frequency"], report["period"], report["lost"]) == (0, period, 0)


def test_the_screen_says_which_event_and_how_many() -> None:
    with targets.running("calls") as program, terminal() as opened:
        opened.run("top", "-e", counted(), "-c", 2, "-p", program.pid)
        lines = opened.until(
            lambda lines: (
                "from_left" in str(lines) and int(row(lines, "counted")[2].replace(",", "")) >= SOME
            )
        )
        head = re.match(
            r"ebprof top: PID \d+, probe_calls:counted, one each 2, ([\d,]+) events/s, ", lines[0]
        )
        assert head and int(head[1].replace(",", "")) >= SOME
        assert row(lines, "counted")[:2] == ["100.0", "100.0"]


def test_events_that_happen_on_an_idle_cpu() -> None:
    """Beside other tests no CPU may be idle for long."""
    words = ("top", "-a", "-e", "sched:sched_switch", "--by", "process", "--json", 1)
    pids: set[int] = set()
    end = time.monotonic() + IDLE_WITHIN_S
    with Forked("ebprof", *words, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            while 0 not in pids and time.monotonic() < end:
                report = json.loads(process.stdout.readline())
                assert report["samples"] >= SOME
                assert sum(one["self"] for one in report["rows"]) == report["samples"]
                pids = {one["pid"] for one in report["rows"]}
        finally:
            process.kill()
    assert 0 in pids


def test_text_of_the_whole_machine(demo: targets.Running) -> None:
    done = run("top", "-a", "-d", 2, "--by", "process")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[2:] if line]
    assert str(demo.pid) in [words[4] for words in rows]
    assert "%CPU     PID PROCESS" in done.stdout.splitlines()[1]
