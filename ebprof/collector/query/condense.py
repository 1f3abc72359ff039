"""Makes trees of hours and days that have ended, and again where something came late.

They are no more than what is stored says already: one that is missing costs time, nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ebprof.collector.query import grown, sql
from ebprof.collector.query.grown import ALL_NODES, EVERYTHING, TREE_NODES, Grown
from ebprof.collector.query.plan import HOUR_MS, Plan
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import Matcher, Selector
from ebprof.collector.query.stacks import look_up
from ebprof.collector.query.times import Range
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.question import BadQuestionError, Kept, Session
from ebprof.collector.store.rows import SERVICE

FEW_STACKS = 2_000
MOST_STACKS = 250_000
"""Of a tree: the smallest beyond it are pruned at its root."""
_ROUND_S = 1.0
_LATE_MS = 120_000
_MOST = 20
_NODES_AT_ONCE = 1_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Unit:
    """Hours or days. name: what a plan calls them; start: of the one that a time is in."""

    name: str
    sums: str
    trees: str
    start: str
    length_ms: int
    kept: str

    def since_s(self, now_ms: int, retention: Retention) -> int:
        """The start of the first one that can have got more, and of which all is kept."""
        kept_ms: int = min(retention.raw_ms + self.length_ms, getattr(retention, self.kept))
        return -(-max(now_ms - kept_ms, 0) // self.length_ms) * self.length_ms // 1000

    def until_s(self, now_ms: int) -> int:
        """The start of the first one that has not ended long enough ago."""
        return (now_ms - _LATE_MS) // self.length_ms * self.length_ms // 1000


_UNITS = (
    _Unit("hours", "services_1h", "trees_1h", "ts", HOUR_MS, "hour_ms"),
    _Unit("days", "services_1d", "trees_1d", "toStartOfDay(ts)", DAY_MS, "day_ms"),
)


@dataclass(frozen=True, slots=True)
class _Place:
    """An hour or a day of a type, and the value that is stored of it."""

    unit: _Unit
    type: str
    start_s: int
    value: int

    @property
    def range(self) -> Range:
        return Range(self.start_s * 1000, self.start_s * 1000 + self.unit.length_ms)


@dataclass(frozen=True, slots=True)
class _Service:
    """A service at a place. known: the value that its tree is of; nodes: that this has."""

    service: str
    value: int
    known: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Condense:
    """Work for the store's writer: some trees that are missing. now_ms: when it is asked for.

    few_stacks: a service with no more of them in an hour or a day has no tree of its own.
    """

    now_ms: int
    retention: Retention
    few_stacks: int = FEW_STACKS

    def work(self, database: Kept) -> int:
        """Make trees for about a second; returns how many, 0 where all are there.

        Raises StoreError.
        """
        for unit in _UNITS:
            for place in self._outdated(database, unit):
                try:
                    made = self._make(database, place)
                except BadQuestionError as error:
                    _log.warning("stacks are too many for a tree: %s", error.message)
                    continue
                if made:
                    return made
        return 0

    def _outdated(self, database: Kept, unit: _Unit) -> list[_Place]:
        since_s, until_s = unit.since_s(self.now_ms, self.retention), unit.until_s(self.now_ms)
        bound = {"since": since_s, "until": until_s, "most": _MOST}
        with database.session() as session:
            rows = session.ask(_fill("outdated", unit), bound).to_pylist()
        return [_Place(unit, **row) for row in rows]

    def _make(self, database: Kept, place: _Place) -> int:
        """Trees of a place: of its large services, and when there are these, of all of it."""
        end_s, made = time.monotonic() + _ROUND_S, 0
        for one in self._large(database, place):
            if one.known == one.value:
                continue
            if time.monotonic() >= end_s:
                return made
            with database.session() as session:
                tree = self._of_stacks(session, place, Matcher(SERVICE, "=", one.service))
            _insert(database, place, one.service, tree.pruned(TREE_NODES))
            made += 1
        whole = self._of_all(database, place)
        _insert(database, place, EVERYTHING, whole)
        return made + int(whole.tree.total[0] == place.value)

    def _of_stacks(self, session: Session, place: _Place, *matchers: Matcher) -> Grown:
        within = place.range
        selection = Selection(place.type, Selector(matchers), within, self.now_ms, self.retention)
        plan = Plan(within, **{place.unit.name: (within,)})
        return grown.of_stacks(look_up(session, selection, plan, MOST_STACKS))

    def _of_all(self, database: Kept, place: _Place) -> Grown:
        large = self._large(database, place)
        others = [Matcher(SERVICE, "!=", one.service) for one in large]
        with database.session() as session:
            tree = self._of_stacks(session, place, *others)
            for services in _batches(large):
                bound = {"type": place.type, "start_s": place.start_s}
                text = _fill("tree", place.unit)
                rows = [session.ask(text, bound | {"service": service}) for service in services]
                more = grown.of_rows(pa.concat_tables(rows))
                tree = grown.merged([tree.pruned(4 * ALL_NODES), more])
        return tree.pruned(ALL_NODES)

    def _large(self, database: Kept, place: _Place) -> list[_Service]:
        bound = {"type": place.type, "start_s": place.start_s, "few": self.few_stacks}
        with database.session() as session:
            rows = session.ask(_fill("large_services", place.unit), bound).to_pylist()
        return [_Service(**row) for row in rows]


def _fill(name: str, unit: _Unit) -> str:
    return sql.fill(name, {"sums": unit.sums, "trees": unit.trees, "start": unit.start})


def _batches(services: Sequence[_Service]) -> Iterator[list[str]]:
    """Services whose trees are read together."""
    batch: list[str] = []
    nodes = 0
    for one in services:
        batch.append(one.service)
        nodes += one.nodes
        if nodes >= _NODES_AT_ONCE:
            yield batch
            batch, nodes = [], 0
    if batch:
        yield batch


def _insert(database: Kept, place: _Place, service: str, tree: Grown) -> None:
    named = {
        "ts": pa.array([place.start_s]).cast(pa.timestamp("s", "UTC")),
        "type": [place.type],
        "service": [service],
    }
    database.insert(place.unit.trees, pa.table(named | tree.row()))
