"""A recording in slices of a program that does one thing and then another: windows show which."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ebprof.errors import EXIT_REGRESSION, EXIT_USAGE
from tests import targets
from tests.live.profiled import FREQUENCY, SOME, Stack, fold, run

FIRST, SECONDS = 2, 4
"""How long the program does the one, and how long it runs."""
EARLY, LATE = "0s-1s", "3s-4s"
"""A second away from the change: a busy machine may be late with it."""


@dataclass(frozen=True, slots=True)
class Sliced:
    """A recording in slices of 250 ms, and its statistics."""

    path: Path
    stats: dict[str, Any]

    def stacks(self, window: str = "") -> Counter[Stack]:
        """Folded stacks of a window, or of all."""
        done = run("report", "-f", "folded", f"{self.path}{window}")
        assert done.returncode == 0, done.stderr
        return fold(done.stdout)

    def count(self, window: str, function: str) -> int:
        """Samples in a window with a function on the stack."""
        stacks = self.stacks(f"@{window}")
        return sum(count for stack, count in stacks.items() if function in stack)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sliced]:
    """The program's whole life."""
    directory = tmp_path_factory.mktemp("windows")
    path, stats = directory / "x.pb.gz", directory / "stats"
    options = [
        "--slice",
        "250ms",
        "-F",
        FREQUENCY,
        "-e",
        "cpu-clock",
        "--no-inline",
        "--stats",
        stats,
    ]
    command = [targets.build("phases"), SECONDS, FIRST]
    done = run("profile", *options, "-o", path, "--", *command)
    assert done.returncode == 0, done.stderr
    yield Sliced(path, json.loads(stats.read_text()))


def test_a_window_has_what_was_done_in_it(recorded: Sliced) -> None:
    assert recorded.count(EARLY, "alpha") > SOME
    assert recorded.count(EARLY, "beta") == 0
    assert recorded.count(LATE, "beta") > SOME
    assert recorded.count(LATE, "alpha") == 0


def test_the_comparison_of_two_windows_finds_it(recorded: Sliced) -> None:
    windows = [f"{recorded.path}@{one}" for one in (EARLY, LATE)]
    done = run("diff", *windows, "-f", "json", "--fail-above", "50%")
    assert done.returncode == EXIT_REGRESSION, done.stderr
    assert "beta +" in done.stderr and "alpha" not in done.stderr
    changes = {
        one["function"]: one["self"]["points"] for one in json.loads(done.stdout)["functions"]
    }
    assert changes["alpha"] < -50 and changes["beta"] > 50


def test_the_slices_together_are_the_run(recorded: Sliced) -> None:
    samples = recorded.stats["samples"]
    assert samples["lost"] == 0
    whole = recorded.stacks()
    assert sum(whole.values()) == samples["total"]
    parts = [recorded.stacks(f"@{window}") for window in ("-1s", "1s-3s", "3s-")]
    assert whole == sum(parts, Counter())


def test_times_are_those_of_slices_within_the_run(recorded: Sliced) -> None:
    document = json.loads(run("report", "-f", "json", recorded.path).stdout)
    times = {one["time_ns"] for one in document["samples"]}
    assert document["slice_ns"] == 250_000_000
    assert all(time % 250_000_000 == 0 for time in times)
    assert len(times) > SECONDS, "a busy machine may not let it run in all of them"
    assert max(times) < document["duration_ns"]


def test_there_is_nothing_after_the_end(recorded: Sliced) -> None:
    done = run("report", f"{recorded.path}@1h-")
    assert done.returncode == EXIT_USAGE
    assert done.stderr.count("\n") == 1 and "has no samples in 3600s-" in done.stderr
