"""The columns of the live table: what each shows, and which matter most for a pivot."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ebprof.model import FlowRow
from ebprof.screen.layout import Column
from ebprof.screen.text import BOLD, CYAN, DIM, PLAIN, RED, YELLOW
from ebprof.traffic.reports import units

SPARK, LOCAL, PORT = "spark", "local", "port"
_OF_A_PROCESS = ("pid", "comm", "container", "cgroup", "pod", "unit")
_OF_ENDS = ("role", "local", "peer", "peer_process", "port", "family")
IDENTITY = frozenset((*_OF_A_PROCESS, *_OF_ENDS))
OF_ONE_ROLE = frozenset(("latency", "latency_max"))
"""Columns that say nothing of clients and servers together."""
NONE = "-"
_SAME = 0.9, 1.1
_TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class FlowColumn:
    """A column with its cells. cell: of a row and the seconds that `recent` spans.

    sort: the sort order that the column shows, empty where there is none. optional: left out
    while all its cells are empty.
    """

    column: Column
    cell: Callable[[FlowRow, float], str]
    sort: str = ""
    style: str = PLAIN
    optional: bool = False


def columns_by(by: tuple[str, ...], sort: str = "", *, commands: bool = False) -> list[FlowColumn]:
    """All columns, in order; those that rows are put together by come first and always stay.

    sort: what rows are sorted by: its column goes late where not all fit. commands: command lines
    in place of names of processes.
    """
    return [_late(one) if one.sort == sort else one for one in _columns_by(by, commands)]


def _columns_by(by: tuple[str, ...], commands: bool) -> list[FlowColumn]:
    keys = [name for key in by for name in _KEY_COLUMNS[key]]
    columns = [_COMMAND if commands and one.column.name == "comm" else one for one in _COLUMNS]
    by_name = {one.column.name: one for one in (*columns, *_PIVOT_ONLY)}
    if "flow" in by:
        return [_always(one) if one.column.name in keys else one for one in columns]
    first = [_always(by_name[name]) for name in dict.fromkeys(keys)]
    return [*first, *(one for one in columns if one.column.name not in keys)]


def _late(one: FlowColumn) -> FlowColumn:
    """Sparklines, which are wide, go when they did."""
    rank = one.column.rank if one.column.name == SPARK else min(one.column.rank, 1)
    return replace(one, column=replace(one.column, rank=rank))


def _always(one: FlowColumn) -> FlowColumn:
    return replace(one, column=replace(one.column, rank=0), optional=False)


def _pid(row: FlowRow, _: float) -> str:
    if row.pid is None:
        return units.ANY
    return str(row.pid) if row.pid else NONE


def _family(row: FlowRow, _: float) -> str:
    return units.ANY if row.family is None else f"IPv{row.family}"


def _shown(text: str | None) -> str:
    return units.ANY if text is None else text


def _rate(value: int, interval_s: float) -> str:
    return units.amount(value / interval_s) if value and interval_s > 0 else NONE


def _calls(row: FlowRow, interval_s: float) -> str:
    calls = row.recent.tx_calls + row.recent.rx_calls
    return units.count(calls / interval_s) if calls and interval_s > 0 else NONE


def _connections(row: FlowRow, _: float) -> str:
    opened, closed = row.totals.connections, row.totals.closed
    return f"{units.count(opened)}/{units.count(closed)}" if opened or closed else NONE


def _rtt(row: FlowRow, _: float) -> str:
    return "" if row.rtt_us is None else units.microseconds(row.rtt_us)


def _latency(row: FlowRow, _: float) -> str:
    """Of the interval, else of all."""
    return _time(row.recent.latency_mean_us or row.totals.latency_mean_us)


def _latency_max(row: FlowRow, _: float) -> str:
    return _time(row.totals.latency_max_us)


def _time(us: float | None) -> str:
    return "" if us is None else units.microseconds(us)


def _turns(row: FlowRow, interval_s: float) -> str:
    turns = row.recent.turns
    return units.count(turns / interval_s) if turns and interval_s > 0 else ""


def _change(row: FlowRow, _: float) -> str:
    """How many times as much as before the mark, with an arrow: new, gone; `=` within a tenth."""
    times = row.change
    if times is None:
        return ""
    if times <= 0:
        return "▼ gone"
    if times == math.inf:
        return "▲ new"
    if _SAME[0] < times < _SAME[1]:
        return "="
    return f"{'▲' if times > 1 else '▼'} {_TIMES}{units.times(times)}"


def _retransmits(row: FlowRow, _: float) -> str:
    return units.count(row.totals.retransmits) if row.totals.retransmits else ""


_COLUMNS = (
    FlowColumn(Column("pid", "PID", 6, 7, 6, "right"), _pid),
    FlowColumn(Column("comm", "COMM", 8, 15, 3), lambda row, _: _shown(row.comm), "name", BOLD),
    FlowColumn(
        Column("container", "CONTAINER", 12, 30, 10),
        lambda row, _: units.container(row),
        optional=True,
    ),
    FlowColumn(Column("role", "ROLE", 7, 7, 1), lambda row, _: _shown(row.role), style=CYAN),
    FlowColumn(Column(LOCAL, "LOCAL", 12, 45, 12), lambda row, _: units.local(row)),
    FlowColumn(Column("peer", "PEER", 15, 45, 2), lambda row, _: units.peer(row)),
    FlowColumn(
        Column("peer_process", "PEER PROCESS", 8, 15, 8),
        lambda row, _: units.peer_process(row),
        optional=True,
    ),
    FlowColumn(
        Column(PORT, "PORT", 6, 6, 4, "right"),
        lambda row, _: units.ANY if row.port is None else str(row.port),
    ),
    FlowColumn(
        Column("tx", "TX/s", 8, 8, 2, "right"),
        lambda row, interval_s: _rate(row.recent.tx_bytes, interval_s),
        "tx",
    ),
    FlowColumn(
        Column("rx", "RX/s", 8, 8, 3, "right"),
        lambda row, interval_s: _rate(row.recent.rx_bytes, interval_s),
        "rx",
    ),
    FlowColumn(Column("latency", "LATENCY", 8, 8, 5, "right"), _latency, "latency", optional=True),
    FlowColumn(Column("latency_max", "MAX", 6, 6, 6, "right"), _latency_max, optional=True),
    FlowColumn(Column("change", "CHANGE", 6, 6, 1, "right"), _change, style=BOLD, optional=True),
    FlowColumn(Column("turns", "TURNS/s", 8, 8, 13, "right"), _turns, optional=True),
    FlowColumn(Column("calls", "CALLS/s", 8, 8, 9, "right"), _calls, "calls"),
    FlowColumn(
        Column("tx_total", "TX", 8, 8, 7, "right"),
        lambda row, _: units.amount(row.totals.tx_bytes),
    ),
    FlowColumn(
        Column("rx_total", "RX", 8, 8, 7, "right"),
        lambda row, _: units.amount(row.totals.rx_bytes),
    ),
    FlowColumn(Column("conns", "OPEN/CLOSED", 12, 12, 11, "right"), _connections, "connections"),
    FlowColumn(
        Column("failed", "FAILED", 9, 24, 8),
        lambda row, _: units.failures(row.totals),
        "failed",
        RED,
        optional=True,
    ),
    FlowColumn(
        Column("retrans", "RETRANS", 8, 8, 14, "right"),
        _retransmits,
        "retransmits",
        YELLOW,
        optional=True,
    ),
    FlowColumn(Column("rtt", "RTT", 6, 6, 15, "right"), _rtt, "rtt", optional=True),
    FlowColumn(
        Column("age", "AGE", 4, 4, 16, "right"),
        lambda row, _: units.duration(row.age_s),
        "age",
        DIM,
    ),
    FlowColumn(Column(SPARK, "LAST MINUTE", 12, 60, 8), lambda row, _: "", "total", CYAN),
)
_COMMAND = FlowColumn(
    Column("comm", "COMMAND", 24, 80, 3),
    lambda row, _: row.command or _shown(row.comm),
    "name",
    BOLD,
)
_PIVOT_ONLY = (
    FlowColumn(Column("family", "FAMILY", 6, 6, 0), _family),
    FlowColumn(Column("cgroup", "CGROUP", 15, 60, 0), lambda row, _: _shown(row.cgroup)),
    FlowColumn(Column("pod", "POD", 12, 36, 0), lambda row, _: row.pod or ""),
    FlowColumn(Column("unit", "UNIT", 15, 60, 0), lambda row, _: row.unit or ""),
)
_KEY_COLUMNS = {
    "process": ("pid", "comm"),
    "flow": ("pid", "comm", "peer"),
    "peer": ("peer", "role"),
    "local": ("local",),
    "port": ("port",),
    "role": ("role",),
    "container": ("container",),
    "pid": ("pid",),
    "comm": ("comm",),
    "family": ("family",),
    "cgroup": ("cgroup",),
    "pod": ("pod",),
    "unit": ("unit",),
}
