"""Aligned columns that are only ever added to; figures are whole numbers, for sort and awk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from ebprof.model import FlowCounts, FlowRow
from ebprof.screen.text import Align, clean, width_of
from ebprof.traffic.reports import units

Cell = Callable[[FlowRow, FlowCounts], object]


class _Column(NamedTuple):
    heading: str
    width: int
    align: Align
    cell: Cell


_IDENTITY = (
    _Column("PID", 7, "right", lambda row, counts: row.pid or "-"),
    _Column("COMM", 15, "left", lambda row, counts: units.OTHER if row.is_other else row.comm),
    _Column("ROLE", 7, "left", lambda row, counts: row.role),
    _Column("PORT", 5, "right", lambda row, counts: row.port),
    _Column("LOCAL", 21, "left", lambda row, counts: units.local(row)),
    _Column("PEER", 21, "left", lambda row, counts: units.peer(row)),
    _Column("CONTAINER", 12, "left", lambda row, counts: units.container(row) or "-"),
)
_ON_REQUEST = {
    "family": _Column("FAMILY", 6, "right", lambda row, counts: row.family),
    "cgroup": _Column("CGROUP", 20, "left", lambda row, counts: row.cgroup),
    "pod": _Column("POD", 36, "left", lambda row, counts: row.pod),
    "unit": _Column("UNIT", 20, "left", lambda row, counts: row.unit),
}
_FIGURES = (
    _Column("TX_BYTES", 12, "right", lambda row, counts: counts.tx_bytes),
    _Column("RX_BYTES", 12, "right", lambda row, counts: counts.rx_bytes),
    _Column("TX_CALLS", 8, "right", lambda row, counts: counts.tx_calls),
    _Column("RX_CALLS", 8, "right", lambda row, counts: counts.rx_calls),
    _Column("OPENED", 6, "right", lambda row, counts: counts.connections),
    _Column("CLOSED", 6, "right", lambda row, counts: counts.closed),
    _Column("RETRANS", 7, "right", lambda row, counts: counts.retransmits),
    _Column("RTT_US", 7, "right", lambda row, counts: _whole(row.rtt_us)),
    _Column("TURNS", 7, "right", lambda row, counts: counts.turns),
    _Column("LAT_US", 8, "right", lambda row, counts: _whole(counts.latency_mean_us)),
    _Column("LAT_MAX_US", 10, "right", lambda row, counts: _whole(counts.latency_max_us)),
    _Column("FAILED", 6, "left", lambda row, counts: units.failures(counts)),
    _Column("PEER_COMM", 15, "left", lambda row, counts: units.peer_process(row)),
)
_CLOCK = "%H:%M:%S"
_CLOCK_WIDTH = 8


class TextForm:
    """Rows as aligned text. by: what they are put together by; its columns are always there."""

    def __init__(self, by: tuple[str, ...]) -> None:
        extra = (column for key, column in _ON_REQUEST.items() if key in by)
        self._columns = (*_IDENTITY, *extra, *_FIGURES)
        headings = (_padded(column.heading, column) for column in self._columns)
        self.head = _joined("TIME".ljust(_CLOCK_WIDTH), headings)

    def line(self, row: FlowRow, counts: FlowCounts, time_s: float) -> str:
        """A row with its line end. counts: of the interval that ended at time_s (Unix time)."""
        cells = [_cell(column.cell(row, counts), column) for column in self._columns]
        return _joined(_clock(time_s), cells)


@lru_cache(maxsize=1)
def _clock(time_s: float) -> str:
    return time.strftime(_CLOCK, time.localtime(time_s))


def _joined(clock: str, cells: Iterable[str]) -> str:
    return " ".join([clock, *cells]).rstrip() + "\n"


def _cell(value: object, column: _Column) -> str:
    """Without blanks, which part columns: `-` for what differs or does not exist."""
    if value is None or value == "":
        return _padded("-", column)
    return _padded(clean(str(value)).replace(" ", "_"), column)


def _padded(text: str, column: _Column) -> str:
    """What is too long moves the rest of the line: nothing is cut."""
    width = column.width - (0 if text.isascii() else width_of(text) - len(text))
    return text.rjust(width) if column.align == "right" else text.ljust(width)


def _whole(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f}"
