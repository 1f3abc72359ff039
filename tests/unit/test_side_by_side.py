"""What runs at a time does not meet."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("xdist")

from tests.side_by_side import WHOLE_MACHINE, group_of, turn_of

ROOT = Path(__file__).parents[2]


def test_those_that_look_at_the_whole_machine_stay_together() -> None:
    groups = {group_of(f"{path}::test_it[a/b]") for path in WHOLE_MACHINE}
    assert len(groups) == 1
    assert all((ROOT / path).is_file() for path in WHOLE_MACHINE)


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
    places = ("live/test_hostile.py", "live/traffic/test_api.py", "live/test_split.py", "unit/x.py")
    turns = [turn_of(f"tests/{place}::test_it") for place in places]
    assert turns == sorted(set(turns))
