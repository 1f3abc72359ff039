"""How a collector stands: a check for each of its parts, for `/-/ready`, `--check` and metrics."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ebprof.collector.query.inventory import Books, Difference, Inventory, Node, Stock, Table
from ebprof.collector.receive.log import PushLog
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.client import StoreClient
from ebprof.collector.store.question import StoreError
from ebprof.collector.symbols.uploads import MIN_FREE
from ebprof.metrics import Value

OK, LIMITED, FAILED = "ok", "limited", "failed"
LOOK_S, BOOKS_S = 60.0, 600.0
"""Between looks at what is in the store, and at whether its sums are right."""
FULL = 8 << 20
"""Bytes on the disk below which pushes are likely to be refused."""
LATE_S = 60.0
AHEAD_MS = 5_000
_MONTH_MS = 31 * DAY_MS
_TRIED_S = 30.0


@dataclass(frozen=True, slots=True)
class Check:
    """How one part stands. detail: a sentence, of what is wrong where something is."""

    name: str
    state: str
    detail: str


class Standing:
    """Looks at the parts of a collector. For one event loop; `run` it.

    is_kept: whether the store's process was told of its retention. trouble: why segments do not get
    into the store, empty while they do.
    """

    def __init__(self, data: Path, log: PushLog, log_bytes: int, store: StoreClient) -> None:
        self._data = data
        self._log = log
        self._log_bytes = log_bytes
        self._store = store
        self.is_kept = True
        self.trouble = ""
        self._stock: Stock | None = None
        self._differences: list[Difference] | None = None
        self._books_at = 0.0

    async def run(self) -> None:
        """Look at what is stored, until this is cancelled."""
        while True:
            if self._store.is_ready:
                with suppress(StoreError):
                    await self._look()
            await asyncio.sleep(LOOK_S if self._stock else 1.0)

    def checks(self) -> list[Check]:
        """How all parts stand, by what was last seen of the store."""
        found = [self._check_disk(), self._check_log(), self._check_store()]
        if self._stock is not None:
            found += [self._check_retention(self._stock), *_check_nodes(self._stock.nodes)]
        if self._differences is not None:
            found.append(_check_books(self._differences))
        return found

    def metrics(self) -> dict[str, Value]:
        """Values of metrics that are not counted."""
        tables = self._stock.tables if self._stock else ()
        return {
            "disk_free_bytes": self._free,
            "log_oldest_seconds": round(self._oldest_s, 1),
            "store_schema": self._stock.version if self._stock else 0,
            "store_rows": {table.name: table.rows for table in tables},
            "store_bytes": {table.name: table.bytes for table in tables},
            "store_differences": len(self._differences or ()),
        }

    async def _look(self) -> None:
        now_ms = time.time_ns() // 10**6
        self._stock = await self._store.ask(Inventory(now_ms))
        if time.monotonic() >= self._books_at:
            self._differences = await self._store.work(Books(now_ms - self._store.retention.raw_ms))
            self._books_at = time.monotonic() + BOOKS_S

    @property
    def _free(self) -> int:
        return shutil.disk_usage(self._data).free

    @property
    def _oldest_s(self) -> float:
        """Of what is in the log and not in the store."""
        sealed = self._log.sealed()
        # Its number is the time at which it was begun, in milliseconds.
        return max(0.0, time.time() - sealed[0].number / 1000) if sealed else 0.0

    def _check_disk(self) -> Check:
        free = self._free
        said = f"{free >> 20:,} MiB are left on the disk of {self._data}"
        if free < FULL:
            return Check("disk", FAILED, f"{said}: pushes are refused until there is room")
        if free < MIN_FREE:
            return Check("disk", LIMITED, f"{said}: object files are not taken below 1 GiB")
        return Check("disk", OK, said)

    def _check_log(self) -> Check:
        log, size = self._log, self._log.size
        if log.broken:
            return Check("log", FAILED, f"the log is not written any more: {log.broken}")
        if size >= self._log_bytes:
            return Check("log", FAILED, "the log is full: the store does not keep up")
        if log.failed and time.monotonic() < log.failed_at + _TRIED_S:
            return Check("log", FAILED, f"the log cannot be written: {log.failed}")
        said = f"{size >> 20:,} of {self._log_bytes >> 20:,} MiB, {len(log.sealed())} segments wait"
        if self._oldest_s > LATE_S:
            return Check("log", LIMITED, f"{said}, the oldest for {self._oldest_s:,.0f} s")
        return Check("log", OK, said)

    def _check_store(self) -> Check:
        if self._store.trouble:
            return Check("store", FAILED, self._store.trouble)
        if self.trouble:
            return Check("store", FAILED, f"{self.trouble}: it is tried again each second")
        said = "it answers"
        if self._stock:
            size = sum(table.bytes for table in self._stock.tables)
            said += f", {size >> 20:,} MiB in {len(self._stock.tables)} tables"
            said += f" of version {self._stock.version}"
        return Check("store", OK, said)

    def _check_retention(self, stock: Stock) -> Check:
        if not self.is_kept:
            return Check("retention", LIMITED, "the store has not been told of a change of it")
        retention = self._store.retention
        late = [*_too_old(stock.tables, retention, time.time_ns() // 10**6)]
        if late:
            return Check("retention", LIMITED, "; ".join(late))
        return Check("retention", OK, f"{retention}")


def _too_old(tables: tuple[Table, ...], retention: Retention, now_ms: int) -> Iterator[str]:
    """Tables that have what should be gone; partitions go as a whole, and within a day or so."""
    lengths = retention.lengths()
    for table in tables:
        length_ms = lengths.get(table.name)
        if length_ms is None or not table.oldest_ms:
            continue
        days = (now_ms - table.oldest_ms) // DAY_MS
        if days * DAY_MS > length_ms + _MONTH_MS + 2 * DAY_MS:
            yield f"{table.name} has rows of {days} days ago"


def _check_nodes(nodes: tuple[Node, ...]) -> Iterator[Check]:
    """Clocks of those that pushed in the last hour, and windows of theirs that did not arrive."""
    if not nodes:
        return
    now_ms = time.time_ns() // 10**6
    ahead = [one for one in nodes if one.last_ms > now_ms + AHEAD_MS]
    if ahead:
        most = max(one.last_ms for one in ahead) - now_ms
        text = f"clocks of {len(ahead)} of {len(nodes)} nodes are ahead, by {most / 1000:,.0f} s"
        yield Check("clocks", LIMITED, text)
    else:
        yield Check("clocks", OK, f"none of {len(nodes)} nodes is ahead of ours")
    since_s = max(0, now_ms - min(one.last_ms for one in nodes)) / 1000
    said = f"of {len(nodes)} nodes, the last window of each began {since_s:,.0f} s ago or later"
    missing = sum(one.missing_windows for one in nodes)
    waiting = sum(one.spool_bytes for one in nodes)
    said += f", {waiting >> 20:,} MiB wait on them" if waiting >> 20 else ""
    if missing:
        yield Check("agents", LIMITED, f"{said}; {missing} windows of theirs did not arrive")
    else:
        yield Check("agents", OK, said)


def _check_books(differences: list[Difference]) -> Check:
    if differences:
        more = f", and {len(differences) - 1} more" if len(differences) > 1 else ""
        return Check("books", LIMITED, f"{differences[0]}{more}")
    return Check("books", OK, "sums of hours and days are those of the samples")
