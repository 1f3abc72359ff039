"""Arrows go down within the collector too: HTTP, service, symbols, questions, store, log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_floors import PACKAGE, imports, module_name

FLOORS = (
    *("api", "service", "rates", "enrichment", "standing", "symbols", "query", "store", "receive"),
    *("cmdb", "labels", "limits", "metrics", "profile_types", "kinds", "flow_keys"),
    *("profiles", "retention", "pages"),
)
MODULES = sorted((PACKAGE / "collector").glob("*/*.py"))


def floor_of(module: str) -> int:
    room = [*module.split("."), "", ""][2]
    return FLOORS.index(room) if room in FLOORS else -1


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_go_down(path: Path) -> None:
    own = floor_of(module_name(path))
    assert own >= 0
    found = [one for one in imports(path.read_text()) if one.startswith("ebprof.collector.")]
    assert [one for one in found if floor_of(one) < own] == []
