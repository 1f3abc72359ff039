"""Builders of flows as they are shown, and a monitor that has them without any kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ebprof.model import FlowCounts, FlowReport, FlowRow
from ebprof.traffic.grouping import Within
from ebprof.traffic.monitor import COUNTERS

CONTAINER = "0123456789abcdef" * 4


def client(
    pid: int = 100, comm: str = "curl", tx: int = 1000, rx: int = 2000, **more: Any
) -> FlowRow:
    """A flow from 10.0.0.1 to port 80 of 10.0.0.9."""
    end = {"local_address": "10.0.0.1", "peer_address": "10.0.0.9", "peer_port": 80}
    return _row(pid, comm, "client", tx, rx, end | more)


def server(
    pid: int = 200, comm: str = "nginx", tx: int = 2000, rx: int = 1000, **more: Any
) -> FlowRow:
    """The same flow, as its other end sees it."""
    end = {"local_address": "10.0.0.9", "local_port": 80, "peer_address": "10.0.0.1"}
    return _row(pid, comm, "server", tx, rx, end | more)


def other(tx: int = 10, rx: int = 20) -> FlowRow:
    """`~other`."""
    counts = FlowCounts(tx_bytes=tx, rx_bytes=rx)
    return FlowRow(totals=counts, recent=counts, is_other=True)


def failing(**errors: int) -> FlowCounts:
    """Counts of connects that failed, by reason."""
    return FlowCounts(failed_connects=sum(errors.values()), connect_errors=tuple(errors.items()))


def report(*rows: FlowRow, hidden: int = 0, elapsed_s: float = 61.0) -> FlowReport:
    """Rows of an interval of 1 s, with their sum."""
    total = FlowRow(flows=len(rows), totals=_sum(rows, "totals"), recent=_sum(rows, "recent"))
    return FlowReport(rows, total, hidden, interval_s=1.0, elapsed_s=elapsed_s)


class FakeMonitor:
    """Shows rows that a test gives it, and keeps what was asked of it.

    on_tick: called at each tick, so that a test can change rows or end the run.
    """

    backend = "fake"
    counts_turns = True
    is_over = False
    tick_s = 1.0
    watched: Sequence[tuple[int, int]] = ()
    warnings: tuple[str, ...] = ()

    def __init__(self, *rows: FlowRow, on_tick: Callable[[], object] = lambda: None) -> None:
        self.flows = rows
        self.on_tick = on_tick
        self.names = self.commands = False
        self.baselines = 0
        self.within: Sequence[Within] = ()
        self.ticks = self.marks = 0
        self.has_begun = self.is_stopped = False
        self.asked: list[dict[str, Any]] = []
        self.failures: dict[str, int] = {}
        self.counts = {counter.name: 0 for counter in COUNTERS}

    def __enter__(self) -> FakeMonitor:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def begin(self) -> None:
        self.has_begun = True

    def stop(self) -> None:
        self.is_stopped = True

    def tick(self) -> None:
        self.ticks += 1
        self.on_tick()

    def mark(self) -> None:
        self.marks += 1

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
        self.within = within
        self.asked.append({"by": by, "sort": sort, "limit": limit, "text": text})
        self.asked[-1] |= {"reverse": reverse, "active": active}
        found = [row for row in self.flows if text in (row.comm or "")]
        if active:
            found = [row for row in found if row.recent != FlowCounts()]
        made = report(*found)
        last = [row for row in found if row.is_other]  # whatever the limit
        found = [row for row in found if not row.is_other]
        shown = (*found[:limit], *last)
        places = [place for place, row in enumerate(found) if anchor and row.anchor == anchor]
        return replace(
            made,
            rows=shown,
            hidden=len(found) - len(found[:limit]),
            place=places[0] if places else None,
            since_mark_s=5.0 if self.baselines else None,
        )

    def set_baseline(self) -> None:
        self.baselines += 1

    def clear_baseline(self) -> None:
        self.baselines = 0

    def counters(self) -> dict[str, int]:
        return self.counts

    def overhead(self) -> tuple[int, float]:
        return 1000, 0.001


def _row(pid: int, comm: str, role: str, tx: int, rx: int, more: dict[str, Any]) -> FlowRow:
    counts = FlowCounts(tx_bytes=tx, rx_bytes=rx, tx_calls=1, rx_calls=2)
    values: dict[str, Any] = {
        "family": 4,
        "port": 80,
        "flows": 1,
        "totals": counts,
        "recent": counts,
    } | more
    return FlowRow(
        pid=pid, comm=comm, role=role, **({"anchor": comm.encode("utf-8", "replace")} | values)
    )


def _sum(rows: tuple[FlowRow, ...], which: str) -> FlowCounts:
    counts = [getattr(row, which) for row in rows]
    return FlowCounts(
        tx_bytes=sum(one.tx_bytes for one in counts),
        rx_bytes=sum(one.rx_bytes for one in counts),
    )
