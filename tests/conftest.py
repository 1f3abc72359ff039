"""A fault behind a wall is a fault: what a reader raises unexpectedly ends its test."""

from __future__ import annotations

import os

import pytest

from ebprof import walls
from tests.side_by_side import turn_of

pytest_plugins = ("tests.needed", "tests.processes")
os.environ.setdefault(walls.ENVIRONMENT, "1")


@pytest.fixture
def walls_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have walls stop what comes out of readers, as they do for users."""
    monkeypatch.delenv(walls.ENVIRONMENT, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: turn_of(item.nodeid))
