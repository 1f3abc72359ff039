"""`ebprof top` with a recording that has no kernel: what it prints where, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ebprof import cli
from ebprof.bpf.events import Rate
from ebprof.errors import EXIT_USAGE
from ebprof.sampling import run as run_module
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.source import Sampled
from ebprof.sampling.statistics import NOT_SAMPLES
from ebprof.sampling.target import Target
from ebprof.top.reports.frame import BUTTERFLY_KEYS, KEYS
from tests.builders import stack
from tests.hot import FakeRecording

Capture = pytest.CaptureFixture[str]
PAGE = (Path(__file__).parents[3] / "docs" / "top.md").read_text()


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRecording]:
    """What the command gets in place of a real one."""
    made = FakeRecording(stack("main;f", 3), stack("main;g", 1))

    def open_run(target: Target, options: RecordOptions, *, is_mute: bool) -> FakeRecording:
        assert is_mute
        made.asked = (target, options)  # type: ignore[attr-defined]
        return made

    monkeypatch.setattr(run_module, "open_run", open_run)
    yield made
    made.close()


def run(*words: object) -> int:
    """Exit code of `ebprof top WORDS...`."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["top", *map(str, words)])
    return int(ended.value.code or 0)


def objects(capfd: Capture) -> list[dict[str, Any]]:
    return [json.loads(text) for text in capfd.readouterr().out.splitlines()]


def test_a_table_an_interval(recording: FakeRecording, capfd: Capture) -> None:
    assert run("0.1", "2") == 0
    out, err = capfd.readouterr()
    assert out.count("FUNCTION\n") == 2
    assert [text.split()[-1] for text in out.split("\n\n")[1].splitlines()[2:]] == [
        "f",
        "g",
        "main",
    ]
    assert err.splitlines()[0] == "ebprof: sampling all processes (fake-clock at 99 Hz)"
    assert "8 samples of all processes in" in err and "  no_row 1" in err
    assert err.splitlines()[-1].startswith("ebprof: overhead: ")


def test_each_interval_is_counted_by_itself(recording: FakeRecording, capfd: Capture) -> None:
    assert run("--json", "0.1", "3") == 0
    found = objects(capfd)
    assert [one["samples"] for one in found] == [4, 4, 4]
    assert [[row["self"] for row in one["rows"]] for one in found] == [[3, 1, 0]] * 3


def test_one_report_of_a_whole_run(recording: FakeRecording, capfd: Capture) -> None:
    assert run("-d", "0.3", "--json") == 0
    (one,) = objects(capfd)
    assert one["samples"] == 4 * recording.takes


def test_events_are_said_with_their_rate(recording: FakeRecording, capfd: Capture) -> None:
    recording.sampled = Sampled("page-faults", Rate(0, 10), "count", 10)
    assert run("-e", "page-faults", "-c", "10", "0.1", "1") == 0
    assert recording.asked[1] == RecordOptions(event="page-faults", period=10)  # type: ignore[attr-defined]
    out, err = capfd.readouterr()
    assert " (page-faults, one each 10, 1.0 s), 40 events/s, " in out
    assert err.splitlines()[0] == "ebprof: sampling all processes (page-faults, one each 10)"


def test_every_drop_is_said(recording: FakeRecording, capfd: Capture) -> None:
    recording.others = {"events_missed": 3, NOT_SAMPLES: 5}
    assert run("0.1", "1") == 0
    _, err = capfd.readouterr()
    assert "ebprof:   events_missed 3: events that met another BPF program" in err
    assert NOT_SAMPLES not in err


def test_help_lists_events_as_profile_does(capfd: Capture) -> None:
    assert run("-e", "help") == 0
    assert "page-faults " in capfd.readouterr().out


def test_rows_pivots_and_orders(recording: FakeRecording, capfd: Capture) -> None:
    assert run("--json", "--by", "module", "0.1", "1") == 0
    (one,) = objects(capfd)
    assert [(row["name"], row["total"]) for row in one["rows"]] == [("demo", 4)]
    assert run("--json", "-s", "name", "-r", "2", "0.1", "1") == 0
    (one,) = objects(capfd)
    assert ([row["name"] for row in one["rows"]], one["hidden"]) == (["f", "g"], 1)


def test_a_signal_ends_it_and_the_rest_is_reported(
    recording: FakeRecording, capfd: Capture
) -> None:
    recording.on_tend = lambda: signal.raise_signal(signal.SIGINT) if recording.tends < 2 else None
    assert run("--json", "5") == 0
    assert [one["samples"] for one in objects(capfd)] == [4]


def test_it_ends_with_its_target(recording: FakeRecording, capfd: Capture) -> None:
    def end() -> None:
        recording.is_over = True

    recording.on_tend, recording.exit_code = end, 7
    recording.warnings = ("names are missing",)
    assert run("--json", "--", "true") == 7
    out, err = capfd.readouterr()
    assert out.count("\n") == 1 and "ebprof: warning: names are missing" in err


def test_a_reader_that_goes_away_ends_it(
    recording: FakeRecording, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr("sys.stdout", output)
        assert run("0.1", "100") == 0
        monkeypatch.undo()
    assert recording.takes < 10


def test_targets_and_filters_are_those_of_profile(recording: FakeRecording) -> None:
    words = [
        "-p",
        "12",
        "-C",
        "0",
        "--comm",
        "web",
        "-U",
        "-F",
        "49",
        "--call-graph",
        "fp",
        "--no-inline",
        "-d",
        "0.1",
    ]
    assert run(*words) == 0
    target, options = recording.asked  # type: ignore[attr-defined]
    assert target == Target(pids=(12,), cpus=(0,), comm="web")
    assert options == RecordOptions(
        frequency=49, duration_s=0.1, kernel=False, call_graph="fp", inline=False
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--by", "flow"], "a row cannot be a 'flow': choose from function"),
        (["-s", "age"], "cannot sort by 'age': choose from self"),
        (["0.01"], "INTERVAL 0.01 is too short"),
        (["1", "x"], "cannot read COUNT 'x'"),
        (["-U", "-K"], "-U and -K exclude each other"),
        (["-F", "9", "-c", "9"], "-F and -c exclude each other"),
        (["-p", "1", "--", "true"], "-p and -- COMMAND exclude each other"),
    ],
)
def test_words_that_do_not_fit_together(words: list[str], message: str, capfd: Capture) -> None:
    assert run(*words) == EXIT_USAGE
    out, err = capfd.readouterr()
    assert out == "" and err.startswith(f"ebprof: {message}") and err.count("\n") == 1


def test_the_page_has_every_field_and_key(recording: FakeRecording, capfd: Capture) -> None:
    assert run("--json", "0.1", "1") == 0
    (one,) = objects(capfd)
    for name in (*one, *(f"rows.{name}" for name in one["rows"][0])):
        assert f"| `{name}` |" in PAGE, name
    assert KEYS in PAGE
    assert BUTTERFLY_KEYS in PAGE
