"""Makes trees of hours and days that have ended, and again where something came late.

They are no more than what is stored says already: one that is missing costs time, nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ebprof.collector.query import grown, sql
from ebprof.collector.query.grown import ALL_NODES, EVERYTHING, TREE_NODES, Grown
from ebprof.collector.query.plan import Plan
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import Matcher, Selector
from ebprof.collector.query.stacks import look_up
from ebprof.collector.query.times import Range, written
from ebprof.collector.query.units import UNITS, Unit
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import BadQuestionError, Kept, Session
from ebprof.collector.store.rows import SERVICE

FEW_STACKS = 2_000
MOST_STACKS = 250_000
"""Of a tree: the smallest beyond it are pruned at its root."""
_ROUND_S = 1.0
_LATE_MS = 120_000
_NODES_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """An hour or a day of a type, and the value that is stored of it."""

    unit: Unit
    type: str
    start_s: int
    value: int

    @property
    def range(self) -> Range:
        """From its start to its end."""
        return Range(self.start_s * 1000, self.start_s * 1000 + self.unit.length_ms)

    def __str__(self) -> str:
        start = written(self.range.start_ms)
        return f"the {self.unit.name.removesuffix('s')} of {self.type} from {start}"


@dataclass(frozen=True, slots=True)
class Failed:
    """A place of which no tree can be made, as long as no more is stored of it."""

    place: Place
    reason: str


@dataclass(frozen=True, slots=True)
class Condensed:
    """What a turn came to: the number of trees that were made, and a place that failed."""

    trees: int = 0
    failed: Failed | None = None


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

    failed: places that are not tried again. few_stacks: a service with no more of them in an hour
    or a day has no tree of its own.
    """

    now_ms: int
    retention: Retention
    failed: frozenset[Place] = frozenset()
    few_stacks: int = FEW_STACKS

    def work(self, database: Kept) -> Condensed:
        """Make trees of a place for about a second; `Condensed()` where all are there.

        Raises StoreError.
        """
        place = next((one for unit in UNITS for one in self._outdated(database, unit)), None)
        if place is None:
            return Condensed()
        try:
            return self._make(database, place)
        except BadQuestionError as error:
            return Condensed(failed=Failed(place, f"of its stacks {error.message}"))

    def _outdated(self, database: Kept, unit: Unit) -> list[Place]:
        since_s = unit.since_s(self.now_ms, self.retention)
        until_s = unit.until_s(self.now_ms - _LATE_MS)
        bound = {"since": since_s, "until": until_s, "most": 1 + len(self.failed)}
        with database.session() as session:
            rows = session.ask(sql.fill("outdated", unit.places()), bound).to_pylist()
        return [one for one in (Place(unit, **row) for row in rows) if one not in self.failed]

    def _make(self, database: Kept, place: Place) -> Condensed:
        """Trees of a place: of its large services, and when there are these, of all of it."""
        end_s, made = time.monotonic() + _ROUND_S, 0
        for one in self._large(database, place):
            if one.known == one.value:
                continue
            if time.monotonic() >= end_s:
                return Condensed(made)
            with database.session() as session:
                tree = self._of_stacks(session, place, Matcher(SERVICE, "=", one.service))
            _insert(database, place, one.service, tree.pruned(TREE_NODES))
            made += 1
        whole = self._of_all(database, place)
        value = int(whole.tree.total[0])
        if value != place.value:
            reason = f"its stacks have {value:,}, and its total is {place.value:,}"
            return Condensed(made, Failed(place, reason))
        _insert(database, place, EVERYTHING, whole)
        return Condensed(made + 1)

    def _of_stacks(self, session: Session, place: Place, *matchers: Matcher) -> Grown:
        within = place.range
        selection = Selection(place.type, Selector(matchers), within, self.now_ms, self.retention)
        plan = Plan(within, **{place.unit.name: (within,)})
        return grown.of_stacks(look_up(session, selection, plan, MOST_STACKS))

    def _of_all(self, database: Kept, place: Place) -> Grown:
        large = self._large(database, place)
        others = [Matcher(SERVICE, "!=", one.service) for one in large]
        with database.session() as session:
            tree = self._of_stacks(session, place, *others)
            for services in _batches(large):
                bound = {"type": place.type, "start_s": place.start_s}
                text = sql.fill("tree", place.unit.places())
                rows = [session.ask(text, bound | {"service": service}) for service in services]
                more = grown.of_rows(pa.concat_tables(rows))
                tree = grown.merged([tree.pruned(4 * ALL_NODES), more])
        return tree.pruned(ALL_NODES)

    def _large(self, database: Kept, place: Place) -> list[_Service]:
        bound = {"type": place.type, "start_s": place.start_s, "few": self.few_stacks}
        with database.session() as session:
            rows = session.ask(sql.fill("large_services", place.unit.places()), bound).to_pylist()
        return [_Service(**row) for row in rows]


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


def _insert(database: Kept, place: Place, service: str, tree: Grown) -> None:
    named = {
        "ts": pa.array([place.start_s]).cast(pa.timestamp("s", "UTC")),
        "type": [place.type],
        "service": [service],
    }
    database.insert(place.unit.trees, pa.table(named | tree.row()))
