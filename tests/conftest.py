"""A fault behind a wall is a fault: what a reader raises unexpectedly ends its test."""

from __future__ import annotations

import os

import pytest

from ebprof import walls

pytest_plugins = ("tests.needed",)
os.environ.setdefault(walls.ENVIRONMENT, "1")


@pytest.fixture
def walls_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have walls stop what comes out of readers, as they do for users."""
    monkeypatch.delenv(walls.ENVIRONMENT, raising=False)
