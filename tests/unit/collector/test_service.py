"""What the collector does by itself, by a store that answers what it is told to."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from ebprof.collector import service
from ebprof.collector.query.condense import Condense, Condensed, Failed, Place
from ebprof.collector.query.units import UNITS
from ebprof.collector.service import Collector, CollectorOptions
from ebprof.collector.store.client import StoreClient
from ebprof.collector.store.question import Work
from tests import collector_extra

collector_extra.need()


def test_places_without_a_tree_are_said_counted_and_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    places = [Place(UNITS[0], "cpu", 3600 * number, 7) for number in range(4)]
    answers = [Condensed(2), *(Condensed(1, Failed(one, "of a reason")) for one in places)]
    asked: list[frozenset[Place]] = []

    async def work(_: StoreClient, wanted: Work) -> Condensed:
        assert isinstance(wanted, Condense)
        asked.append(wanted.failed)
        if len(asked) > len(answers):
            raise asyncio.CancelledError
        return answers[len(asked) - 1]

    monkeypatch.setattr(StoreClient, "work", work)
    monkeypatch.setattr(service, "CONDENSE_PAUSE_S", 0.0)
    monkeypatch.setattr(service, "MOST_WITHOUT_TREE", 3)
    collector = Collector(CollectorOptions(tmp_path))
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        asyncio.run(collector._condense())
    collector.close()
    assert asked[:3] == [frozenset(), frozenset(), frozenset(places[:1])]
    assert asked[-1] == frozenset(places[1:]), "the oldest is forgotten"
    assert "ebprof_collector_trees_failed_total 4\n" in collector.metrics()
    assert "ebprof_collector_trees_made_total 6\n" in collector.metrics()
    assert "of the hour of cpu from 1970-01-01T03:00:00.000Z: of a reason" in caplog.text
