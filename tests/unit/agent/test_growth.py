"""Two hours of windows leave nothing behind in what packs them."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

from ebprof.agent.encoding import Encoder
from ebprof.agent.identities import Identities
from ebprof.agent.pushes import pushes
from ebprof.agent.series import cut
from ebprof.model import Builder, Frame, Label, Location, Profile
from tests import slow

WINDOWS = (3 if slow.IS_SLOW else 2) * 360
LINEAGE = 60
"""Windows after which stacks are forgotten, and numbers mean other things."""
LOOK = 6 * LINEAGE
SERIES = 2
SLACK = 256 << 10
"""Bytes: a lineage ends or begins between two looks."""


def windows() -> Iterator[Profile]:
    """Each has stacks and processes that no other had."""
    builder = Builder()
    for number in range(WINDOWS):
        if number % LINEAGE == 0:
            builder = Builder()
        for series in range(SERIES):
            frames = (Frame(f"f{number}"), Frame("main"))
            stack = [builder.location(Location(number, None, (one,))) for one in frames]
            labels = [("node", "n"), ("process", f"p{number}"), ("service_name", f"s{series}")]
            found = builder.labels(Label(name, text=text) for name, text in labels)
            builder.add(builder.stack(stack), 1, labels=found)
        yield Profile(builder.take(), event="cpu-clock", unit="nanoseconds", period=1)


def test_memory_does_not_grow() -> None:
    identities, encoder = Identities("n", ()), Encoder()
    held: list[int] = []
    tracemalloc.start()
    try:
        for number, window in enumerate(windows(), 1):
            assert sum(one.amount for one in pushes(cut(window, identities).series, encoder))
            if number % LOOK == 0:
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert len(held) == WINDOWS // LOOK
    assert held[-1] - held[0] < SLACK
