"""`ebprof doctor`: the same content on a terminal, in a pipe and as JSON."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from ebprof import cli, features
from ebprof.errors import EXIT_FAILURE, UsageError
from ebprof.features import LIMITED, MISSING, OK, UNKNOWN, Feature
from ebprof.features.collector import STEPS

DOCS = Path(__file__).parents[3] / "docs" / "doctor.md"


def feature(name: str, state: str, *, required: bool = False) -> Feature:
    detail, loss, remedy = (f"{word} of {name}" for word in ("detail", "loss", "remedy"))
    return Feature(name, state, detail, loss, remedy, required)


FOUND = [
    feature("fine", OK, required=True),
    feature("half", LIMITED),
    feature("absent", MISSING),
    feature("hidden", UNKNOWN, required=True),
]


def run(monkeypatch: pytest.MonkeyPatch, found: list[Feature], *words: str) -> object:
    monkeypatch.setattr(features, "probe_all", lambda: found)
    return cli.ebprof.main(["doctor", *words], prog_name="ebprof", standalone_mode=False)


def test_in_a_pipe_every_feature_is_an_aligned_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, FOUND) == 0
    assert capsys.readouterr().out == (
        "fine *    ok       detail of fine\n"
        "half      limited  detail of half\n"
        "                   lost: loss of half\n"
        "                   get it: remedy of half\n"
        "absent    missing  detail of absent\n"
        "                   lost: loss of absent\n"
        "                   get it: remedy of absent\n"
        "hidden *  unknown  detail of hidden\n"
        "CPU profiles may work here: hidden unknown (* is required)\n"
    )


def test_a_required_feature_that_is_missing_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [*FOUND, feature("vital", MISSING, required=True)]
    assert run(monkeypatch, found) == EXIT_FAILURE
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "CPU profiles do not work here: vital missing (* is required)"


def test_a_terminal_shows_the_same_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, FOUND)
    plain = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    run(monkeypatch, FOUND)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert shown.split() == ["FEATURE", "STATE", "DETAIL", *plain.split()]


def test_what_a_feature_says_is_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = Feature("odd", OK, "[red]x[/nonesuch]", "lost", "remedy", False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    run(monkeypatch, [odd])
    assert "[red]x[/nonesuch]" in capsys.readouterr().out


def test_json_is_the_features_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, FOUND, "--json") == 0
    assert json.loads(capsys.readouterr().out) == [asdict(one) for one in FOUND]


def test_the_page_lists_every_feature_state_and_json_field() -> None:
    page = DOCS.read_text()
    rows = re.findall(r"^\| `(\w+)`", page, re.MULTILINE)
    assert set(rows) == {
        *(probe.name for probe in features.PROBES),
        *features.STATES,
        *(step.name for step in STEPS),
        *asdict(FOUND[0]),
    }


def test_the_page_marks_what_is_required_and_tells_what_is_lost() -> None:
    page = DOCS.read_text()
    for probe in features.PROBES:
        mark = " \\*" if probe.required else ""
        assert f"| `{probe.name}`{mark} | {probe.lost} | {probe.remedy} |{os.linesep}" in page
    for step in STEPS:
        assert f"| `{step.name}` \\* | {step.lost} | {step.remedy} |{os.linesep}" in page


def test_a_collector_is_asked_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "probe_all", lambda: pytest.fail("no features are probed"))

    def say(*words: str) -> tuple[object, list[str]]:
        code = cli.ebprof.main(["doctor", *words], prog_name="ebprof", standalone_mode=False)
        return code, capsys.readouterr().out.splitlines()

    missing = tmp_path / "missing.sock"
    code, lines = say("--collector", f"unix:{missing}")
    assert code == EXIT_FAILURE
    assert lines[-1] == f"an agent here cannot push to unix:{missing}: see collector_name"
    assert sum("not tried without collector_name" in line for line in lines) == len(STEPS) - 1
    with pytest.raises(UsageError, match="are for a collector"):
        say("--token-file", "/x")
