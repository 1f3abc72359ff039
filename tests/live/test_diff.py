"""Two recordings of a program whose split changed in between: the comparison finds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ebprof.errors import EXIT_REGRESSION
from tests import binutils, stripped, targets
from tests.live.profiled import FREQUENCY, after_work, assert_share, fold, run

SLACK = 15
"""Percentage points: four sigma of a difference between 400 samples each, and some more."""


SHOP = {"parse": 30, "price": 18, "pack": 20, "bill": 14, "ship": 10, "note": 8}
"""Parts of a hundred that functions of the first shop have."""


def record(path: Path, *parts: int) -> None:
    with targets.running("shares", *parts) as target:
        _record(path, target)


def record_shop(path: Path, program: Path) -> None:
    with targets.started([program, 0]) as target:
        _record(path, target)


def _record(path: Path, target: targets.Running) -> None:
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


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with profiles of two versions of a program, and of both without symbols."""
    directory = tmp_path_factory.mktemp("shops")
    for number, variant in enumerate(("default", "second")):
        whole = stripped.copied(targets.build("shop", variant), directory / f"shop-2.{number}")
        record_shop(directory / f"{number}.pb.gz", whole)
        bare = stripped.without_symbols(whole, directory / f"bare-2.{number}")
        record_shop(directory / f"{number}.bare.pb.gz", bare)
    return directory


def compared(directory: Path, before: str, after: str, *, is_other: bool = False) -> Any:
    done = run("diff", directory / before, directory / after, "-f", "json")
    assert done.returncode == 0, done.stderr
    assert ("hardly any stack" in done.stderr) == is_other, done.stderr
    return json.loads(done.stdout)


def test_two_versions_of_a_program(versions: Path) -> None:
    found = compared(versions, "0.pb.gz", "1.pb.gz")
    own = {one["function"]: one["self"] for one in found["functions"]}
    new = {**SHOP, "pack": 60, "check": 6}
    for name, parts in new.items():
        before, after = SHOP.get(name, 0), 100 * parts / sum(new.values())
        assert abs(own[f"shop::{name}()"]["points"] - (after - before)) < SLACK, name
    done = run("diff", versions / "0.pb.gz", versions / "1.pb.gz", "-f", "folded")
    lines = [line.rsplit(" ", 2) for line in done.stdout.splitlines()]
    both = sum(int(after) for _, before, after in lines if int(before) and int(after))
    assert both > 0.8 * found["b"]["samples"]


def test_functions_of_a_stripped_program_have_a_row_each(versions: Path) -> None:
    done = run("report", versions / "0.bare.pb.gz", "-f", "folded")
    leaves = [line.rsplit(" ", 1)[0].split(";")[-1] for line in done.stdout.splitlines()]
    functions = binutils.functions(versions / "shop-2.0")
    starts = {f"[bare-2.0]+{start:#x}": name for name, (start, _) in functions.items()}
    assert {one for one in leaves if one.startswith("[bare-2.0]")} <= starts.keys()
    stacks = fold(done.stdout)
    for name, parts in SHOP.items():
        (row,) = [row for row, symbol in starts.items() if f"{len(name)}{name}Ev" in symbol]
        own = sum(count for stack, count in stacks.items() if stack[-1] == row)
        assert_share(own, stacks.total(), parts / 100)


def test_the_same_stripped_build_is_compared_by_function(versions: Path) -> None:
    again = versions / "again.pb.gz"
    record_shop(again, versions / "bare-2.0")
    found = compared(versions, "0.bare.pb.gz", again.name)
    rows = [one for one in found["functions"] if one["function"].startswith("[bare-2.0]+0x")]
    assert len(rows) >= 5
    assert all(abs(one["self"]["points"]) < SLACK for one in rows)


def test_stripped_builds_that_differ_have_functions_of_their_own(versions: Path) -> None:
    found = compared(versions, "0.bare.pb.gz", "1.bare.pb.gz", is_other=True)
    own = [one["self"] for one in found["functions"] if one["function"].startswith("[bare-2.")]
    assert len(own) >= 11
    assert all(min(one["a"], one["b"]) == 0 for one in own)
    (module,) = found["builds"]
    assert module["module"] == "bare-2.1"
    assert abs(module["self"]["points"]) < SLACK
