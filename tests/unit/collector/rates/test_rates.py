"""Counters of services: each byte once, however it arrives, and those of the topology."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.metrics import METRICS, PREFIX
from ebprof.collector.query.graph import Edge, End, Seen
from ebprof.collector.query.selector import EVERYTHING
from ebprof.collector.query.starts import Starts
from ebprof.collector.query.times import Range
from ebprof.collector.query.topology import Topology
from ebprof.collector.rates import Rates, _rates, services
from ebprof.collector.receive import records
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import StoreError
from ebprof.collector.store.wire import FlowSpan
from ebprof.metrics import Counters
from ebprof.wire.flows import encode
from tests import collector_extra
from tests.flow_windows import Flow, Process, flow, window
from tests.stored import Store, store

collector_extra.need()
S = 1000
NOW = 1_790_000_000


def edge(tx: int, client: str = "shop", server: str = "redis", **fields: Any) -> Edge:
    seen = Seen(tx, 0, fields.pop("connections", 0), 0, 0, 0, fields.pop("failed", {}))
    sides = End("value", client), End(fields.pop("kind", "value"), server)
    is_counted = fields.pop("is_counted", True)
    return Edge(*sides, seen, seen, None, is_counted, False, 0, "", ())


@dataclass
class Answer:
    edges: tuple[Edge, ...]


class Fake:
    """A store: edges by when their ten seconds began."""

    def __init__(self) -> None:
        self.edges: dict[int, tuple[Edge, ...]] = {}
        self.asked: list[int] = []
        self.fails = False

    async def ask(self, question: Any) -> Any:
        if self.fails:
            raise StoreError("away")
        if isinstance(question, Starts):
            within = question.range
            return [one for one in self.edges if within.start_ms <= one < within.end_ms]
        self.asked.append(question.range.start_ms)
        assert question.range.length_ms == 10 * S
        return Answer(self.edges.get(question.range.start_ms, ()))


class Counting:
    """Rates by a clock that is set, read as often as that ticks."""

    def __init__(self, store: Any, *, is_read: bool = True) -> None:
        self.now = float(NOW)
        self.is_read = is_read
        self.counters = Counters(PREFIX, METRICS)
        self.rates = Rates(store, self.counters, Retention, lambda: self.now)
        asyncio.run(self.rates.begin())

    def note(self, start_ms: int, moved: int = 1, length_ms: int = 10 * S) -> None:
        self.rates.note([FlowSpan(start_ms, start_ms + length_ms, moved)])

    def tick(self, seconds: float = 5) -> None:
        self.now += seconds
        if self.is_read:
            self.rates.text()
        asyncio.run(self.rates.tick())

    def values(self, name: str = "tx_bytes") -> dict[str, float]:
        """By labels, of one metric."""
        prefix = f"ebprof_service_{name}_total{{"
        lines = [one for one in self.rates.text().splitlines() if one.startswith(prefix)]
        pairs = (line.removeprefix(prefix).rsplit("} ", 1) for line in lines)
        return {labels.replace('"', ""): float(value) for labels, value in pairs}


@pytest.fixture
def fake() -> Fake:
    return Fake()


B1, B2 = (NOW - 20) * S, (NOW - 10) * S
SHOP = "client=shop,server=redis"


def test_each_window_is_counted_once(fake: Fake) -> None:
    found = Counting(fake)
    fake.edges = {B1: (edge(100),), B2: (edge(7), edge(5, "cron"))}
    for start in (B1, B2, B2 + 5 * S):
        found.note(start)
    found.tick(1)
    assert found.values() == {}, "others of these ten seconds may follow"
    found.tick()
    assert found.values() == {SHOP: 107, "client=cron,server=redis": 5}
    found.note(B2)  # the same again, as after a crash of the store
    found.tick()
    assert found.values()[SHOP] == 107
    assert fake.asked == [B1, B2, B2]


def test_what_comes_later_is_added_and_what_was_too_much_is_taken_off(fake: Fake) -> None:
    found = Counting(fake)
    fake.edges = {B1: (edge(100, "10.0.3.0/24"),)}
    found.note(B1)
    found.tick()
    fake.edges = {B1: (edge(101),)}  # the client's side has come
    found.note(B1)
    found.tick()
    outside = "client=10.0.3.0/24,server=redis"
    assert found.values() == {outside: 100, SHOP: 101}
    fake.edges[B2] = (edge(130, "10.0.3.0/24"),)
    found.note(B2)
    found.tick()
    assert found.values() == {outside: 130, SHOP: 101}


def test_nothing_is_asked_that_nobody_reads(fake: Fake) -> None:
    found = Counting(fake, is_read=False)
    fake.edges = {B1: (edge(100),)}
    found.note(B1)
    found.tick()
    assert found.values() == {SHOP: 100}
    asked = len(fake.asked)
    found.tick(_rates.WANTED_S)
    start = (NOW + 600) * S
    fake.edges[start] = (edge(7),)
    found.note(start)
    found.note(B1, moved=3)
    assert found.counters.value("late_bytes_total") == 3, "which is counted all the same"
    found.tick(60)
    assert len(fake.asked) == asked and found.rates.is_ready
    assert found.values() == {SHOP: 100}, "which is read again now"
    assert not found.rates.is_ready
    asyncio.run(found.rates.begin())
    fake.edges[start] = (edge(7), edge(5, "cron"))
    found.note(start)
    found.tick()
    assert found.values() == {SHOP: 100, "client=cron,server=redis": 5}


def test_what_was_there_before_the_start_is_not_counted_again(fake: Fake) -> None:
    fake.edges = {B1: (edge(100),)}
    found = Counting(fake)
    assert found.values() == {}
    fake.edges[B1] = (edge(103),)
    found.note(B1)
    found.tick()
    assert found.values() == {SHOP: 3}


def test_what_is_late_is_no_rate(fake: Fake) -> None:
    found = Counting(fake)
    start = (NOW - 131) * S
    fake.edges = {start // (10 * S) * 10 * S: (edge(100),)}
    found.note(start, 100)
    found.note(start - 3600 * S, 11)
    found.note(B1, 5)
    fake.edges[B1] = (edge(5),)
    found.tick()
    assert found.values() == {SHOP: 5}
    assert found.counters.value("late_bytes_total") == 111


def test_long_windows_are_late_by_their_end(fake: Fake) -> None:
    found = Counting(fake)
    found.now += 3600
    start = (NOW + 600) * S
    fake.edges = {start: (edge(9),)}
    found.note(start, 9, length_ms=2900 * S)
    found.tick()
    found.note(start, 9, length_ms=2900 * S)
    found.tick()
    assert found.values() == {SHOP: 9}
    assert found.counters.value("late_bytes_total") == 0


def test_a_store_that_is_away_is_asked_again(fake: Fake) -> None:
    found = Counting(fake)
    fake.edges, fake.fails = {B1: (edge(1),)}, True
    found.note(B1)
    found.tick()
    assert found.values() == {}
    fake.fails = False
    found.tick()
    assert found.values() == {SHOP: 1}


def test_it_forgets_what_nothing_is_added_to(fake: Fake) -> None:
    found = Counting(fake)
    fake.edges = {B1: (edge(1),)}
    found.note(B1)
    found.tick()
    found.tick(300)
    assert found.values() == {SHOP: 1}
    assert not found.rates._known


def test_labels_are_bounded_and_sums_exact(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rates, "MOST_EDGES", 3)
    found = Counting(fake)
    fake.edges = {B1: tuple(edge(1 << number, f"c{number}") for number in range(6))}
    found.note(B1)
    found.tick()
    assert sum(found.values().values()) == 63
    assert found.values()["client=~other,server=~other"] == 0b111000
    assert found.counters.value("rate_edges_joined_total") == 3
    found.tick(_rates.IDLE_S)
    later = int(found.now) // 10 * 10 * S
    fake.edges[later] = (edge(1, "new"),)
    found.note(later)
    found.tick(15)
    assert found.values() == {"client=new,server=redis": 1, "client=~other,server=~other": 0b111000}


def test_who_ends_are(fake: Fake) -> None:
    found = Counting(fake)
    fake.edges = {
        B1: (
            edge(1, server="192.0.2.7", kind="outside"),
            edge(2, server="2001:db8::1", kind="outside"),
            edge(4, server="bank", kind="outside"),
            edge(8, client=""),
            edge(16, is_counted=False),
            edge(32, server="x" * 999),
        )
    }
    found.note(B1)
    found.tick()
    assert found.values() == {
        "client=shop,server=~outside": 3,
        "client=shop,server=bank": 4,
        "client=~unknown,server=redis": 8,
        f"client=shop,server={'x' * 256}": 32,
    }


def test_failures_have_reasons_and_times_are_seconds(fake: Fake) -> None:
    found = Counting(fake)
    seen = Seen(0, 0, 3, 2, 1_500_000, 3, {"refused": 4})
    ends = End("value", "shop"), End("value", "redis")
    fake.edges = {B1: (Edge(*ends, seen, seen, None, True, False, 0, "", ()),)}
    found.note(B1)
    found.tick()
    assert found.values("failed_connects") == {f"{SHOP},reason=refused": 4}
    assert found.values("rtt_seconds") == {SHOP: 1.5}
    assert found.values("rtt_samples") == {SHOP: 3}
    assert found.values("retransmits") == {SHOP: 2}


class Real:
    """A store of its own, asked as the collector does."""

    def __init__(self, one: Store) -> None:
        self._store = one

    async def ask(self, question: Any) -> Any:
        return self._store.request(question)


REDIS, CLIENT = Process("redis"), Process("shop")


def both(tx: int) -> tuple[Flow, Flow]:
    """As nodes n1 and n2 see it."""
    return (
        flow(CLIENT, tx=tx, rx_bytes=3, connections=1, local="10.0.0.1", address="10.0.0.2"),
        flow(REDIS, "server", tx=3, rx_bytes=tx, local="10.0.0.2", address="10.0.0.1"),
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Path]]:
    path = tmp_path_factory.mktemp("rates")
    with store(path) as one:
        yield one, path


def test_an_edge_that_both_ends_saw_is_that_of_the_topology(filled: tuple[Store, Path]) -> None:
    one, path = filled
    found = Counting(Real(one))
    for number, (tx, start) in enumerate(((1000, B1), (50, B2), (50_000, B2 - 3600 * S)), 1):
        pair = [
            window(each, node=node, at_ns=start * 10**6)
            for each, node in zip(both(tx), ("n1", "n2"), strict=True)
        ]
        messages = [records.of_flows(1, encode(each)).message() for each in pair]
        found.rates.note(one.write(path / "segment", *messages, number=number).spans)
        found.tick()
    assert found.values() == {SHOP: 1050}
    assert found.values("rx_bytes") == {SHOP: 6}
    assert found.counters.value("late_bytes_total") == 2 * 50_003
    within = Range(B1, NOW * S)
    answer = one.request(Topology(EVERYTHING, within, "service", NOW * S, Retention()))
    shown = [*services.counts(answer)]
    assert sum(c.amount for c in shown if c.metric.endswith("_tx_bytes_total")) == 1050
