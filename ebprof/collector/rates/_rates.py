"""Counters of services: what is stored of each ten seconds, asked for whenever there is more of it.

The store is asked for ranges of windows, never for what is new, so that nothing is counted twice
however often a segment is written. What an answer has more than the one before is added. What it
has less, as another side of an edge or another name came later, is taken off what is added next:
counters never fall, and sums become right.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from ebprof import plugins
from ebprof.collector import rates
from ebprof.collector.query.starts import Starts
from ebprof.collector.query.times import Range
from ebprof.collector.rates._family import Family
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import BadQuestionError, Question, StoreError
from ebprof.collector.store.wire import FlowSpan
from ebprof.metrics import Counters, Value

BUCKET_MS = 10_000
LATE_MS = 120_000
"""Windows that ended longer ago when they are stored are counted by no rate."""
HOLD_S = 4.0
"""From the first window of ten seconds, or their end, to the question, as nodes push one after
another. A question takes 0.3 to 0.6 s of CPU for 50 nodes."""
TICK_S = 1.0
WANTED_S = 600.0
"""How long metrics are counted after somebody read them: nobody pays for what nobody reads."""
MOST_EDGES = 2_000
"""Of a family; beyond it there is one that is called OTHER."""
IDLE_S = 3600.0
"""Edges of which nothing was heard for as long go first, where there is no room."""
OTHER = "~other"
LONGEST = 256
"""Characters of a label's value."""
_SECONDS = "_seconds_total"
_log = logging.getLogger(__name__)

_Key = tuple[str, tuple[str, ...]]
"""Name of a metric, and values of all its labels."""


class Asking(Protocol):
    """What is needed of a store."""

    async def ask(self, question: Question) -> object: ...


class Rates:
    """Metrics of all families. For one event loop: `begin` before anything is written, unless it
    `is_ready`, and `run`.

    counters: of the collector, which count what finds no room. clock: seconds since the epoch.
    """

    def __init__(
        self,
        store: Asking,
        counters: Counters,
        retention: Callable[[], Retention],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._counters = counters
        self._retention = retention
        self._clock = clock
        names = plugins.module_names(rates)
        families: dict[str, Family] = {name: plugins.load(rates, name) for name in names}
        self._families = {name: _Counted(one, counters) for name, one in families.items()}
        self._due: dict[int, float] = {}
        self._known: set[int] = set()
        self._since_ms = 0
        self._longest_ms = 0
        self._read = clock()
        self._has_begun = False

    @property
    def is_ready(self) -> bool:
        """Whether it is known what was stored before, or nobody wants to know what comes."""
        return self._has_begun or not self._is_wanted

    async def begin(self) -> None:
        """Take what is stored already as counted; raises StoreError."""
        now_ms = self._now_ms()
        start = (now_ms - LATE_MS) // BUCKET_MS * BUCKET_MS
        found = await self._store.ask(Starts(Range(start, now_ms + LATE_MS), BUCKET_MS))
        assert isinstance(found, list)
        for bucket in found:
            await self._count(bucket, is_new=False)
        self._since_ms = start
        self._has_begun = True

    async def run(self) -> None:
        """Count what is noted, until this is cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            await self.tick()

    async def tick(self) -> None:
        """Count what is due."""
        if not self._is_wanted:
            self._due.clear()
            self._has_begun = False
            self._forget()
            return
        now = self._clock()
        for bucket in sorted(one for one, due in self._due.items() if due <= now):
            del self._due[bucket]
            try:
                await self._count(bucket, is_new=True)
            except StoreError:
                self._due[bucket] = now + HOLD_S
            except BadQuestionError as error:
                self._counters.add("rates_failed_total")
                _log.warning("metrics lack 10 s of flows: %s", error.message)
        self._forget()

    def note(self, spans: Iterable[FlowSpan]) -> None:
        """Windows of flows are in the store."""
        now_ms = self._now_ms()
        for one in spans:
            if one.end_ms < now_ms - LATE_MS or one.start_ms < self._since_ms:
                self._counters.add("late_bytes_total", one.bytes)
                continue
            if not self._has_begun:
                continue
            self._longest_ms = max(self._longest_ms, one.end_ms - one.start_ms)
            bucket = one.start_ms // BUCKET_MS * BUCKET_MS
            due_ms = max(now_ms, bucket + BUCKET_MS) + 1000 * HOLD_S
            self._due.setdefault(bucket, due_ms / 1000)

    def text(self) -> str:
        """All metrics, in Prometheus' text format."""
        self._read = self._clock()
        return "".join(one.text() for one in self._families.values())

    @property
    def _is_wanted(self) -> bool:
        return self._clock() < self._read + WANTED_S

    async def _count(self, bucket: int, *, is_new: bool) -> None:
        self._known.add(bucket)
        within = Range(bucket, bucket + BUCKET_MS)
        for counted in self._families.values():
            question = counted.family.question(within, self._now_ms(), self._retention())
            counted.take(bucket, await self._store.ask(question), is_new=is_new, now=self._clock())

    def _forget(self) -> None:
        """Forget what nothing can be added to any more."""
        oldest = self._now_ms() - LATE_MS - self._longest_ms - 2 * BUCKET_MS
        for bucket in [one for one in self._known if one < oldest]:
            self._known.discard(bucket)
            for counted in self._families.values():
                counted.forget(bucket)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


class _Counted:
    """Counters of a family."""

    def __init__(self, family: Family, counters: Counters) -> None:
        self.family = family
        self._counters = counters
        self._page = Counters("", family.METRICS)
        self._values: Counter[_Key] = Counter()
        self._owed: Counter[_Key] = Counter()
        self._answers: dict[int, Counter[_Key]] = {}
        self._edges: dict[tuple[str, ...], float] = {}

    def take(self, bucket: int, answer: object, *, is_new: bool, now: float) -> None:
        """Count what an answer has; is_new: what it has more than the one before is added."""
        found: Counter[_Key] = Counter()
        edges: dict[tuple[str, ...], tuple[str, ...]] = {}
        for one in self.family.counts(answer):
            if one.edge not in edges:
                edges[one.edge] = self._edge(tuple(value[:LONGEST] for value in one.edge), now)
            found[one.metric, (*edges[one.edge], *one.more)] += one.amount
        before = self._answers.get(bucket, Counter())
        self._answers[bucket] = found
        if is_new:
            for key in {**before, **found}:
                self._add(key, found[key] - before[key])

    def forget(self, bucket: int) -> None:
        """Nothing is added to it any more."""
        self._answers.pop(bucket, None)

    def text(self) -> str:
        """All its metrics."""
        current: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
        for (metric, labels), value in self._values.items():
            current[metric][labels] = value / 1e6 if metric.endswith(_SECONDS) else value
        values: Mapping[str, Value] = {one.name: current[one.name] for one in self.family.METRICS}
        return self._page.text(values)

    def _add(self, key: _Key, amount: int) -> None:
        amount -= self._owed.pop(key, 0)
        if amount < 0:
            self._owed[key] = -amount
        elif amount > 0 or self._is_shown(key):
            self._values[key] += amount

    def _is_shown(self, key: _Key) -> bool:
        """Bytes and connections are there from the start of an edge on, others when they happen."""
        return len(key[1]) == self.family.EDGE

    def _edge(self, edge: tuple[str, ...], now: float) -> tuple[str, ...]:
        """The edge as it is counted."""
        if edge not in self._edges and len(self._edges) >= MOST_EDGES:
            self._make_room(now)
            if len(self._edges) >= MOST_EDGES:
                self._counters.add("rate_edges_joined_total")
                return (OTHER,) * self.family.EDGE
        self._edges[edge] = now
        return edge

    def _make_room(self, now: float) -> None:
        idle = {edge for edge, seen in self._edges.items() if seen < now - IDLE_S}
        for edge in idle:
            del self._edges[edge]
        if idle:
            for sums in (self._values, self._owed):
                for key in [one for one in sums if one[1][: self.family.EDGE] in idle]:
                    del sums[key]
