"""Segments of the log into the database: each exactly once, however often it is tried."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ebprof.collector.receive import records
from ebprof.collector.retention import DAY_MS
from ebprof.collector.store import flow_tables, tables
from ebprof.collector.store.enrich import Enriching
from ebprof.collector.store.flow_tables import FlowLabels
from ebprof.collector.store.frames import FrameRow
from ebprof.collector.store.hashes import Hasher
from ebprof.collector.store.journal import Entry, Journal
from ebprof.collector.store.rows import Known, Rows
from ebprof.collector.store.segments import SegmentReader
from ebprof.collector.store.wire import EnrichRequest, FlowSpan, Written
from ebprof.wire.flows import FlowWindow

_EPOCH = date(1970, 1, 1)
_MOST_SEEN = 2_000_000

_Key = TypeVar("_Key", bound=Hashable)
_Row = TypeVar("_Row")


class Inserted(Protocol):
    """What a writer needs of a database."""

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        """Add rows: one block for each partition; those with a token once."""

    def blocks(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """The last block of each partition of some tables; nothing of those without any."""

    def tidy(self) -> int:
        """Remove frames of which no stack is left; returns how many."""


class _Seen:
    """What was inserted on a day, as far back as memory goes."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._keys: OrderedDict[Hashable, None] = OrderedDict()

    def new(self, rows: Mapping[_Key, _Row], day: date) -> dict[_Key, _Row]:
        """Those that were not inserted on this day."""
        if day != self._day:
            self._day = day
            self._keys.clear()
        return {key: rows[key] for key in rows if key not in self._keys}

    def add(self, rows: dict[_Key, _Row]) -> None:
        self._keys.update(dict.fromkeys(rows))
        while len(self._keys) > _MOST_SEEN:
            self._keys.popitem(last=False)


class Writer:
    """Writes segments; for one thread.

    Series, stacks and frames come first and may be there twice: the tables keep one. Of samples and
    rollups, the journal says what was begun, and blocks what of it is there; or the database, which
    knows the tokens that it had lately.
    """

    def __init__(
        self,
        database: Inserted,
        journal: Journal,
        hasher: Hasher,
        today: Callable[[], date] | None = None,
    ) -> None:
        self._database = database
        self._journal = journal
        self._today = today or (lambda: datetime.now(timezone.utc).date())
        self._known = Known(hasher)
        self._sender = hasher.hash_of(["token"], 8).hex()  # others write to the same server
        self._enriching = Enriching()
        self._series, self._stacks, self._frames = _Seen(), _Seen(), _Seen()
        self._flow_labels = _Seen()

    def write(self, number: int, path: Path) -> Written:
        """Have all of a segment in the database; raises StoreError."""
        data = path.read_bytes()
        reader = SegmentReader(data, self._known, self._enriching)
        samples = flows = 0
        objects: set[str] = set()
        spans: list[FlowSpan] = []
        for part, rows in enumerate(reader.parts()):
            objects |= self._insert(rows, number, part)
            samples += len(rows.samples)
            flows += sum(len(one.flows) for one in rows.flows)
            spans += map(_span, rows.flows)
        damaged = len(data) - records.whole_length(data)
        counts = samples, flows, reader.pushes, reader.unreadable, damaged
        return Written(*counts, frozenset(objects), self._enriching.take_failures(), tuple(spans))

    def enrich(self, request: EnrichRequest) -> None:
        """Have what is written from now on enriched by others than before."""
        self._enriching.replace(request)

    def name(self, frames: Sequence[FrameRow], version: int) -> None:
        """Give frames of addresses names; raises StoreError.

        Those without names keep what they had, and so do those that have a better one than where
        their function begins: nothing that was known is lost by a look-up. The list of addresses
        comes last: after a crash in between they are named once more.
        """
        named = [frame for frame in frames if frame.names and not frame.is_by_start]
        by_start = [frame for frame in frames if frame.is_by_start]
        self._insert_new("frames", tables.frames(named, version))
        self._insert_new("frames", tables.frames(by_start, tables.BY_START))
        self._insert_new("file_addresses", tables.addresses(frames, version))

    def tidy(self) -> int:
        """Remove frames of which no stack is left; returns how many; raises StoreError.

        What was inserted today may be among them: it is inserted again when it comes again.
        """
        self._frames = _Seen()
        return self._database.tidy()

    def _insert(self, rows: Rows, segment: int, part: int) -> set[str]:
        """Returns the build IDs of files with addresses that were not met lately."""
        entry = self._journal.of(segment)
        if entry and part < entry.part:
            return set()
        day = self._today()
        objects = self._insert_frames(rows, day)
        stacks = self._stacks.new(rows.stacks, day)
        self._insert_new("stacks", tables.stacks(list(stacks.values()), day))
        self._stacks.add(stacks)
        self._insert_series(rows)
        added = [self._enriching.of_flows(window) for window in rows.flows]
        self._insert_flow_labels(added, day)
        summed = _summed(rows, added)
        if entry and part == entry.part:
            summed = self._missing(summed, entry)
        else:
            self._begin(segment, part, list(summed))
        for name, found in summed.items():
            self._insert_new(name, found, f"{self._sender}-{segment}-{part}")
        return objects

    def _insert_frames(self, rows: Rows, day: date) -> set[str]:
        new = self._frames.new(rows.frames, day)
        frames = list(new.values())
        self._insert_new("frames", tables.frames(frames))
        self._insert_new("file_addresses", tables.addresses(frames))
        self._frames.add(new)
        return {frame.build_id for frame in frames if frame.address}

    def _begin(self, segment: int, part: int, names: list[str]) -> None:
        blocks = self._database.blocks(names)
        last = {name: max(blocks.get(name, {}).values(), default=0) for name in names}
        self._journal.begin(Entry(segment, part, last))

    def _missing(self, summed: dict[str, pa.Table], entry: Entry) -> dict[str, pa.Table]:
        """Rows of those partitions that got no block after the last one of an entry."""
        blocks, found = self._database.blocks(list(summed)), {}
        for name, rows in summed.items():
            last = entry.blocks.get(name, 0)
            there = sorted(key for key, one in blocks.get(name, {}).items() if one > last)
            is_there = pc.is_in(tables.partitions(name, rows), pa.array(there, pa.string()))
            found[name] = rows.filter(pc.invert(is_there))
        return found

    def _insert_series(self, rows: Rows) -> None:
        """A series is there for each day that it has samples of."""
        days = rows.samples.ts // DAY_MS
        for number in np.unique(days).tolist():
            day = _EPOCH + timedelta(number)
            ids = np.unique(rows.samples.series_id[days == number]).tolist()
            keyed = {(day, one): rows.series[one] for one in ids}
            new = self._series.new(keyed, self._today())
            self._insert_new("series", tables.series(list(new.values()), day))
            self._series.add(new)

    def _insert_flow_labels(self, added: Sequence[FlowLabels | None], day: date) -> None:
        names = {name: name for one in added if one for name in one.names}
        new = self._flow_labels.new(names, day)
        self._insert_new("flow_labels", flow_tables.label_names(list(new), day))
        self._flow_labels.add(new)

    def _insert_new(self, table: str, rows: pa.Table, token: str = "") -> None:
        if len(rows):
            self._database.insert(table, rows, token)


def _span(window: FlowWindow) -> FlowSpan:
    moved = sum(int(window.flows[name].sum()) for name in ("tx_bytes", "rx_bytes"))
    return FlowSpan(window.start_ns // 10**6, window.end_ns // 10**6, moved)


def _summed(rows: Rows, added: Sequence[FlowLabels | None]) -> dict[str, pa.Table]:
    """Rows of the tables that have to get each once. added: to flows."""
    found = {}
    if len(rows.samples):
        table = tables.samples(rows.samples)
        found["samples"] = tables.raw(table)
        for name, unit in (("1h", "hour"), ("1d", "day")):
            found[f"samples_{name}"] = rollup = tables.rolled_up(table, unit)
            found[f"services_{name}"] = tables.of_services(rollup)
        found["totals_1h"] = tables.of_hours(found["services_1h"])
    if rows.flows:
        found["flows"] = table = flow_tables.flows(rows.flows, added)
        found["flows_1h"] = flow_tables.rolled_up(table)
    return found
