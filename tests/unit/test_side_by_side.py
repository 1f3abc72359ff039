"""What runs at a time does not meet."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("xdist")

from tests.side_by_side import COLLECTORS, LAST, WHOLE_MACHINE, group_of, turn_of

ROOT = Path(__file__).parents[2]


def test_those_that_look_at_the_whole_machine_stay_together() -> None:
    groups = {
        group_of(f"{path}::{test}[a/b]")
        for path, tests in WHOLE_MACHINE.items()
        for test in tests or ["test_it"]
    }
    assert len(groups) == 1
    assert group_of("tests/live/test_top.py::test_it") not in groups


@pytest.mark.parametrize(("path", "tests"), WHOLE_MACHINE.items())
def test_they_are_there(path: str, tests: frozenset[str]) -> None:
    text = (ROOT / path).read_text()
    assert all(f"\ndef {test}(" in text for test in tests)


def test_those_that_run_a_store_are_there() -> None:
    assert all((ROOT / path).is_file() for path in COLLECTORS)


def test_those_that_count_connections_stay_together() -> None:
    groups = {group_of(f"tests/live/traffic/test_{name}.py::test_it") for name in ("api", "roles")}
    assert len(groups) == 1
    assert groups.isdisjoint(group_of(f"{path}::test_it") for path in WHOLE_MACHINE)


@pytest.mark.parametrize("directory", ["unit", "live"])
def test_other_tests_stay_with_those_of_their_file(directory: str) -> None:
    first, second, other = (
        group_of(f"tests/{directory}/test_{name}")
        for name in ("a.py::x", "a.py::y[b::c]", "b.py::x")
    )
    assert first == second != other


def test_what_takes_longest_begins_first() -> None:
    places = (
        "live/test_churn.py",
        "live/traffic/test_api.py",
        "live/test_split.py",
        "live/test_serve.py",
        "unit/x.py",
    )
    turns = [*(turn_of(f"tests/{place}::test_it") for place in places), turn_of(LAST)]
    assert turns == sorted(set(turns))


def test_what_needs_an_idle_cpu_is_there_and_alone() -> None:
    path, _, name = LAST.partition("::")
    assert f"\ndef {name}(" in (ROOT / path).read_text()
    assert group_of(LAST) != group_of(f"{path}::test_it")
