"""A fault behind a wall is a fault: what a reader raises unexpectedly ends its test."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from ebprof import walls

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler.protocol import Scheduling

pytest_plugins = ("tests.needed",)
os.environ.setdefault(walls.ENVIRONMENT, "1")


@pytest.fixture
def walls_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have walls stop what comes out of readers, as they do for users."""
    monkeypatch.delenv(walls.ENVIRONMENT, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    with suppress(ImportError):
        from tests.side_by_side import turn_of

        items.sort(key=lambda item: turn_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Have pytest-xdist run side by side what may be."""
    from tests.side_by_side import SideBySide

    return SideBySide(config, log)
