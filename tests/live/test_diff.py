"""Two recordings of a program whose split changed in between: the comparison finds it."""

from __future__ import annotations

import json
from pathlib import Path

from ebprof.errors import EXIT_REGRESSION
from tests import targets
from tests.live.profiled import FREQUENCY, after_work, run

SLACK = 15
"""Percentage points: four sigma of a difference between 400 samples each, and some more."""


def record(path: Path, *parts: int) -> None:
    with targets.running("shares", *parts) as target:
        words = ("-p", target.pid, "--no-inline", "-F", FREQUENCY, "-e", "cpu-clock", "-o", path)
        done = run("profile", *words, until=after_work([target.pid]))
    assert done.returncode == 0, done.stderr


def test_what_grew_and_what_shrank_is_found(tmp_path: Path) -> None:
    before, after = tmp_path / "before.pb.gz", tmp_path / "after.pb.gz"
    record(before, 6, 3, 1)
    record(after, 2, 3, 5)
    done = run("diff", before, after, "-f", "json", "--fail-above", "25%")
    assert done.returncode == EXIT_REGRESSION, done.stderr
    assert "gamma_ +" in done.stderr and "alpha" not in done.stderr
    changes = {one["function"]: one["self"] for one in json.loads(done.stdout)["functions"]}
    wanted = {"alpha": -40, "beta": 0, "gamma_": 40}
    for function, points in wanted.items():
        assert abs(changes[function]["points"] - points) < SLACK, (function, changes[function])


def test_two_recordings_of_the_same_are_no_regression(tmp_path: Path) -> None:
    before, after = tmp_path / "before.pb.gz", tmp_path / "after.folded"
    record(before, 2, 1, 1)
    record(after, 2, 1, 1)
    done = run("diff", before, after, "-f", "table", "--fail-above", SLACK)
    assert done.returncode == 0, done.stderr
    assert "alpha" in done.stdout
