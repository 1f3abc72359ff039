"""When a node pushes: windows of all nodes end at once, and their pushes do not come at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from ebprof.agent.collectors import Outcome
from ebprof.agent.pusher import SPREAD, Pusher, turn_s
from ebprof.agent.pushes import Push
from ebprof.agent.spool import Spool
from tests.unit.agent.fakes import counters

TURN_S = 0.3
PATIENCE_S = 60.0
NODES = 1000


class Timed:
    """Collectors that note when a push came."""

    wait_s = 0.0
    problem = ""

    def __init__(self) -> None:
        self.times: list[float] = []

    def push(self, body: bytes, kind: object) -> Outcome:
        self.times.append(time.monotonic())
        return Outcome.ACCEPTED


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path, 1 << 20, counters())
    yield made
    made.close()


def test_each_node_has_a_turn_of_its_own() -> None:
    turns = [turn_s(f"node-{number}", 10.0) for number in range(NODES)]
    assert turns == [turn_s(f"node-{number}", 10.0) for number in range(NODES)]
    tenths, _ = np.histogram(turns, 10, (0, 10.0 * SPREAD))
    assert tenths.sum() == NODES, "nobody comes later"
    assert tenths.min() > NODES / 20
    assert turn_s("\udcff", 10.0) < 10.0 * SPREAD


def test_what_comes_to_an_empty_spool_waits_for_its_turn(spool: Spool) -> None:
    timed = Timed()
    pusher = Pusher(spool, cast(Any, timed), counters(), print, TURN_S)
    written = time.monotonic()
    for number in range(3):
        spool.write(Push(b"%d" % number, 1))
    end = time.monotonic() + PATIENCE_S
    while len(timed.times) < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert timed.times[0] >= written + TURN_S
    assert timed.times[2] < timed.times[0] + 3 * TURN_S, "those behind the first do not wait"
    pusher.finish(PATIENCE_S)


def test_the_end_waits_for_no_turn(spool: Spool) -> None:
    timed = Timed()
    pusher = Pusher(spool, cast(Any, timed), counters(), print, PATIENCE_S)
    spool.write(Push(b"last", 1))
    pusher.finish(PATIENCE_S)
    assert len(timed.times) == 1 and len(spool) == 0
