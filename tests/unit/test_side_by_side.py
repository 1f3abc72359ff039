"""What runs at a time does not meet."""

from __future__ import annotations

import pytest

pytest.importorskip("xdist")

from tests.side_by_side import group_of


def test_live_tests_of_a_kind_stay_together() -> None:
    profiles = {group_of(f"tests/live/test_{name}.py::test_it[a/b]") for name in ("top", "split")}
    traffic = {group_of(f"tests/live/traffic/test_{name}.py::test_it") for name in ("api", "roles")}
    assert (len(profiles), len(traffic), len(profiles | traffic)) == (1, 1, 2)


def test_other_tests_stay_with_those_of_their_file() -> None:
    first, second, other = (
        group_of(f"tests/unit/test_{name}") for name in ("a.py::x", "a.py::y[b::c]", "b.py::x")
    )
    assert first == second != other
