"""Our types and Pyroscope's are one another's names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ebprof.collector import kinds
from ebprof.collector.profile_types import profile_type, stored_type

PAGE = (Path(__file__).parents[3] / "docs" / "clients.md").read_text()


@pytest.mark.parametrize("name", [*kinds.known(), "lost:count", "a b:c"])
def test_a_type_comes_back(name: str) -> None:
    found = profile_type(name)
    assert stored_type(found.id) == stored_type(f"{found.id}:delta") == name
    assert found.sample_unit == kinds.unit_of(name)
    assert found.id.count(":") == 4


def test_the_table_is_that_of_the_documentation() -> None:
    section = PAGE.split("| type | Pyroscope's |\n")[1]
    for name in kinds.known():
        line = next(one for one in section.splitlines() if f"`{name}`" in one)
        first = re.sub(r"^block:", "mutex:", profile_type(name).id)
        assert f"`{first}`" in line


@pytest.mark.parametrize("text", ["", "cpu", "a:b:c", "::::", "a:b:c:d:e:f:g"])
def test_what_is_no_id_is_none(text: str) -> None:
    assert stored_type(text) == ""
