"""The example plug-ins that need no root: installed, and used by the program."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.examples import EXAMPLES, install
from tests.live.profiled import run

FOLDED = "app;main;work 3\napp;main;rest 1\n"
MAX_LINES = 70


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved profile."""
    path = tmp_path / "saved.folded"
    path.write_text(FOLDED)
    return path


def test_a_format(tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("format", tmp_path, monkeypatch)
    by_name = run("report", saved, "-f", "csv")
    assert by_name.returncode == 0, by_name.stderr
    rows = [row[:1] + row[2:] for row in csv.reader(io.StringIO(by_name.stdout))]
    assert sorted(rows[1:]) == [["1", "app", "rest", "main"], ["3", "app", "work", "main"]]
    by_suffix = tmp_path / "out.csv"
    assert run("report", saved, "-o", by_suffix).returncode == 0
    assert by_suffix.read_text() == by_name.stdout


def test_a_command(tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("command", tmp_path, monkeypatch)
    done = run("hot", saved, "-n", 1)
    assert (done.returncode, done.stdout.split()) == (0, ["3", "work"])
    assert "Show the hottest functions" in run("--help").stdout
    missing = run("hot", "/no/such/file")
    assert missing.returncode == 6
    assert missing.stderr.startswith("ebprof: cannot read /no/such/file")


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_an_example_stays_one(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES
