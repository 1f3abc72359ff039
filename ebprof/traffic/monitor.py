"""The traffic of this machine as it goes on: drained from the kernel, named, ready to be shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import TRAFFIC_COUNTERS, Counter
from ebprof.bpf import loaders
from ebprof.bpf.traffic import TrafficSession
from ebprof.identity.processes import Processes
from ebprof.index import UNKNOWN
from ebprof.model import FlowReport, FlowRow
from ebprof.procfs.process import own_pid_namespace_is_initial
from ebprof.traffic import backends
from ebprof.traffic.filter import FlowFilter
from ebprof.traffic.grouping import (
    Flows,
    Groups,
    Within,
    changes,
    group,
    happened,
    narrowed,
    order,
    round_trips,
    sums,
)
from ebprof.traffic.names import Names
from ebprof.traffic.peers import Peers
from ebprof.traffic.rows import Extras, FlowRows, to_counts
from ebprof.traffic.search import TextSearch
from ebprof.traffic.table import MAX_ROWS, FlowTable, joined, joined_rows
from ebprof.traffic.translations import MAX_NETWORKS, Translations
from ebprof.walls import Walls

_EVICTED = Counter(
    "evicted", "flows that were idle for longest and made room for new ones: in ~other", False
)
_FAILED = Counter(
    "readers_failed",
    "times that something could not be read for a reason nobody expected",
    False,
)
_NAT_LATE = Counter(
    "nat_late", "times that translations of addresses were not looked at in time", False
)
_NAT_FULL = Counter("nat_full", "times that there were more translations than are kept", False)
COUNTERS = (*TRAFFIC_COUNTERS, _EVICTED, _FAILED, _NAT_LATE, _NAT_FULL)
"""What is counted besides flows, by the kernel side and here."""
_MAX_PROCESSES = MAX_ROWS + MAX_ROWS // 4


class Monitor:
    """Counts from `with` on; the caller ticks it, at least once a second.

    filter: flows that it rules out are not kept at all; what the kernel's tables had no room for
    (`~other`) cannot be told apart and is in every report.
    """

    is_over = False
    tick_s = 1.0
    watched: Sequence[tuple[int, int]] = ()

    def __init__(
        self,
        session: TrafficSession,
        backend: str,
        filter: FlowFilter,
        names: bool = False,
        *,
        in_host: bool = True,
        walls: Walls | None = None,
    ) -> None:
        lib.memory_give_back()  # what a tick of many flows copies is not kept for the next one
        self.backend = backend
        self._session = session
        self._filter = filter
        self.names = names
        self._resolver: Names | None = None
        self._search = TextSearch()
        self._walls = walls or Walls()
        self._processes = Processes(self._walls, in_host=in_host)
        self._translations = Translations(self._walls) if filter.names_ends else None
        self._peers = Peers()
        self._knows_peers = False
        self.commands = False
        """Whether rows have the command lines of their processes."""
        self._before_mark_s = self._marked_at = 0.0
        self._window_ended = False
        self._start = self._window_start = self._now = time.monotonic()
        self._table = FlowTable(self._now)

    @classmethod
    def open(
        cls,
        backend: str | None,
        filter: FlowFilter,
        names: bool = False,
        loader: str = loaders.AUTO,
    ) -> Monitor:
        """A monitor on the backend of this name, None: on the best that works here.

        Raises NoTargetError for a process or cgroup that is to be watched and does not exist,
        UsageError for an unknown backend, UnsupportedError when none works.
        """
        wanted = filter.checked()
        walls = Walls()
        chosen, session = backends.open_session(backend, loader, walls, pairing=lib.PAIRING_NAMED)
        in_host = own_pid_namespace_is_initial()
        return cls(session, chosen.name, wanted, names, in_host=in_host, walls=walls)

    def __enter__(self) -> Monitor:
        try:
            self._session.start()
        except BaseException:
            self._session.close()
            raise
        self._start = self._window_start = self._now = time.monotonic()
        self._table = FlowTable(self._now)
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def begin(self) -> None:
        """Counting began with `with`."""

    def stop(self) -> None:
        """What is counted goes on until the last tick."""

    def tick(self) -> None:
        """Take what the kernel side counted since the last tick."""
        batch = self._session.drain()
        now = time.monotonic()
        if self._window_ended:
            self._window_ended = False
            self._window_start = self._now
            self._table.begin_window()
        self._now = now
        self._knows_peers = False
        process = self._processes.identify(batch.processes, batch.owners, batch.keys["process"])
        keys, counts = batch.keys, batch.counts
        if self._translations is not None:
            self._translations.read(
                np.unique(self._processes.pids[process])[:MAX_NETWORKS].tolist()
            )
        wanted = self._filter.matches(keys, process, self._processes, self._translations)
        if not wanted.all():
            keys, counts, process = keys[wanted], counts[wanted], process[wanted]
        self._table.add(keys, counts, process, now)
        self._table.add_other(batch.other)
        self._table.history.advance(now, len(self._table))
        if len(self._processes) > _MAX_PROCESSES:
            self._forget_processes()

    def set_baseline(self) -> None:
        """Let reports say how rows differ, from now on, from what was until now."""
        self._before_mark_s = self._now - (
            self._marked_at if self._table.is_marked else self._start
        )
        self._marked_at = self._now
        self._table.set_mark()

    def clear_baseline(self) -> None:
        """Let them say nothing of it."""
        self._table.clear_mark()

    def mark(self) -> None:
        """Let the next tick begin a new window for recent counts; until then, this one stays."""
        self._window_ended = True

    def rows(
        self,
        by: tuple[str, ...],
        sort: str = "total",
        limit: int | None = None,
        text: str = "",
        *,
        reverse: bool = False,
        active: bool = False,
        within: Sequence[Within] = (),
        anchor: bytes = b"",
    ) -> FlowReport:
        """Flows that hold a text, put together by pivots (PIVOTS), in an order (SORTS).

        limit: at most so many rows, `~other` not counted. reverse: the order turned round. active:
        without rows on which nothing happened in the window; the report's totals have them all the
        same. within: only the flows of these rows. anchor: of the row whose place is wanted.
        Rows are made as they are read, which must be before the next tick.
        """
        flows = self._select(text)
        for one in within:
            flows = narrowed(flows, one)
        groups = group(flows, by)
        chosen = order(flows, groups, sort)
        if active:
            has_news = happened(self._table.recent).astype(np.intp)
            chosen = chosen[sums(has_news, groups.members, groups.starts)[chosen] > 0]
        if reverse:
            chosen = chosen[::-1]
        return FlowReport(
            rows=self._rows(flows, groups, chosen[:limit], active, sort),
            totals=self._total(flows),
            hidden=len(chosen) - len(chosen[:limit]),
            interval_s=self._now - self._window_start,
            elapsed_s=self._now - self._start,
            place=self._place(groups, chosen, anchor),
            since_mark_s=self._now - self._marked_at if self._table.is_marked else None,
        )

    @property
    def counts_turns(self) -> bool:
        """Whether calls are seen, and with them who answers whom."""
        return self._session.counts_calls

    def counters(self) -> dict[str, int]:
        """COUNTERS since the start, by name."""
        translations = self._translations
        own = {
            _EVICTED: self._table.evicted,
            _FAILED: self._walls.failed,
            _NAT_LATE: translations.late if translations is not None else 0,
            _NAT_FULL: translations.full if translations is not None else 0,
        }
        return {**self._session.counters(), **{one.name: count for one, count in own.items()}}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong without ending the run, a sentence each."""
        translated = self._translations.warnings if self._translations is not None else ()
        return (*self._walls.warnings, *translated)

    @property
    def failures(self) -> dict[str, int]:
        """What `readers_failed` counts, by exception and line of code."""
        return dict(self._walls.places)

    def overhead(self) -> tuple[int, float]:
        """Runs of the programs in the kernel, and seconds spent in them."""
        return self._session.overhead()

    def _select(self, text: str) -> Flows:
        if text:
            rows = np.flatnonzero(self._search.matches(text, self._table, self._processes))
        else:
            rows = np.arange(len(self._table))
        return Flows(self._table, self._processes, rows, self._translations)

    def _rows(
        self, flows: Flows, groups: Groups, chosen: NDArray[np.int64], active: bool, sort: str
    ) -> FlowRows:
        if self.names and self._resolver is None:
            self._resolver = Names(self._walls)
        resolver = self._resolver if self.names else None
        extras = Extras(
            has_turns=self.counts_turns,
            names=resolver,
            peers=self._read_peers(),
            commands=self.commands,
            changes=self._changes(sort) if self._table.is_marked else None,
        )
        return FlowRows(flows, groups, chosen, self._now, self._other(active), extras)

    def _changes(self, sort: str) -> Callable[[Groups], NDArray[np.float64]]:
        return partial(
            changes,
            self._table,
            sort=sort,
            before_s=self._before_mark_s,
            since_s=self._now - self._marked_at,
        )

    def _place(self, groups: Groups, chosen: NDArray[np.int64], anchor: bytes) -> int | None:
        row = self._table.row_of(anchor) if anchor else UNKNOWN
        found = np.flatnonzero(groups.members[groups.starts[chosen]] == row)
        return int(found[0]) if len(found) else None

    def _read_peers(self) -> Peers:
        """Once a tick, and only when rows are asked for."""
        if not self._knows_peers:
            self._peers.learn(*self._session.pairs())
            self._knows_peers = True
        return self._peers

    def _other(self, active: bool) -> FlowRow | None:
        """What has no row of its own; None when there is nothing."""
        table = self._table
        if not (happened(table.other_recent[None]) if active else table.other_totals).any():
            return None
        history = table.history.other()
        return self._sum(table.other_totals, table.other_recent, history, self._start)

    def _total(self, flows: Flows) -> FlowRow:
        table = self._table
        first_seen = table.first_seen[flows.rows].min(initial=self._now)
        summed = self._sum(
            joined(table.other_totals, _sum_rows(table.totals, flows.rows)),
            joined(table.other_recent, _sum_rows(table.recent, flows.rows)),
            table.history.other() + table.history.sum(flows.rows),
            self._start if table.other_totals.any() else float(first_seen),
        )
        return summed._replace(flows=len(flows), is_other=False)

    def _sum(
        self,
        totals: NDArray[np.int64],
        recent: NDArray[np.int64],
        history: NDArray[np.float64],
        since: float,
    ) -> FlowRow:
        rtt = float(round_trips(recent[None], totals[None])[0])
        return FlowRow(
            totals=to_counts(totals.tolist(), has_turns=self.counts_turns),
            recent=to_counts(recent.tolist(), has_turns=self.counts_turns),
            rtt_us=rtt if rtt >= 0 else None,
            age_s=self._now - since,
            history=tuple(history.tolist()),
            is_other=True,
        )

    def _forget_processes(self) -> None:
        """All but those with flows; what the kernel said of the others is in /proc again."""
        kept, numbers = np.unique(self._table.process, return_inverse=True)
        self._processes.keep(kept)
        self._table.process = numbers.astype(np.int32)


def _sum_rows(counts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return joined_rows(counts if len(rows) == len(counts) else counts[rows])
