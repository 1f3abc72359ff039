"""The columns of the live table, and of a function's callers and callees."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from ebprof.sampling.source import Sampled
from ebprof.screen.layout import Column
from ebprof.screen.text import BOLD, CYAN, DIM, PLAIN
from ebprof.top.rows import CHANGE, HotReport, HotRow

SPARK, OWN = "spark", "self"
_SIGMAS = 2
"""Smaller changes are what chance makes of samples."""
SEVERAL = "*"


@dataclass(frozen=True, slots=True)
class HotColumn:
    """A column with its cells. cell: of a row and the report that the row is in."""

    column: Column
    cell: Callable[[HotRow, HotReport], str]
    sort: str = ""
    style: str = PLAIN


def share(part: int, whole: int) -> str:
    """`12.3`: percent; `-` for nothing."""
    return f"{100 * part / whole:.1f}" if part and whole else "-"


def columns_by(
    pivot: str, sampled: Sampled, *, many_processes: bool, commands: bool = False
) -> list[HotColumn]:
    """The columns for a pivot.

    many_processes: whether to say whose a row is; commands: by the command line of the process in
    place of its name.
    """
    left_out = set(_LEFT_OUT.get(pivot, _OF_TEXTS))
    if not many_processes and pivot != "process":
        left_out |= {"pid", "comm"}
    figures = [*_FIGURES]
    if sampled.cores(1, 1.0) is not None:
        figures.append(_cpu(sampled))
    name = _COMMANDS if commands and pivot == "process" else _name(pivot)
    rest = [_COMMAND if commands and one.column.name == "comm" else one for one in _REST]
    if pivot in _OF_A_PROCESS:
        rest = [_always(one) if one.column.name == "pid" else one for one in rest]
    columns = (*figures, _change(sampled), name, *rest)
    return [one for one in columns if one.column.name not in left_out]


def _always(one: HotColumn) -> HotColumn:
    """It tells rows apart: it stays where there is little room."""
    return replace(one, column=replace(one.column, rank=1))


def _cpu(sampled: Sampled) -> HotColumn:
    """As htop has it: 100 is one core."""
    column = Column("cpu", "%CPU", 6, 7, 2, "right")
    return HotColumn(
        column, lambda row, report: cpu_percent(sampled, row.own, report.seconds) or "-"
    )


def _change(sampled: Sampled) -> HotColumn:
    column = Column("change", "CHANGE", 8, 8, 1, "right")
    return HotColumn(column, lambda row, report: change_text(sampled, row, report), CHANGE, BOLD)


def change_text(sampled: Sampled, row: HotRow, report: HotReport) -> str:
    """What a row grew or shrank by since the mark: `▲ 12.3`, in %CPU, or samples a second.

    `▲ new` was not there; `=` is within chance; empty without a mark.
    """
    if row.before is None:
        return ""
    seconds, before_s = max(report.seconds, 0.1), max(report.before_s, 0.1)
    change = row.own / seconds - row.before / before_s
    if abs(change) <= _SIGMAS * math.hypot(
        math.sqrt(row.own) / seconds, math.sqrt(row.before) / before_s
    ):
        return "="
    arrow = "▲" if change > 0 else "▼"
    if not row.before:
        return f"{arrow} new"
    cores = sampled.cores(1, 1.0)
    return f"{arrow} {abs(change) * (1 if cores is None else 100 * cores):.1f}"


def cpu_percent(sampled: Sampled, samples: int, seconds: float) -> str:
    """`38.2`: percent of one core; empty where samples are not CPU time."""
    cores = sampled.cores(samples, seconds)
    return "" if cores is None else f"{100 * cores:.1f}"


def _name(pivot: str) -> HotColumn:
    column = Column("name", pivot.upper(), 30, 120, 0)
    return HotColumn(column, lambda row, _: row.name, "name", BOLD)


def _pid(row: HotRow, _: HotReport) -> str:
    return SEVERAL if row.pid is None else str(row.pid)


_FIGURES = (
    HotColumn(
        Column(OWN, "SELF %", 7, 7, 0, "right"),
        lambda row, report: share(row.own, report.samples),
        "self",
    ),
    HotColumn(
        Column("total", "TOTAL %", 8, 8, 0, "right"),
        lambda row, report: share(row.total, report.samples),
        "total",
    ),
    HotColumn(Column("samples", "SAMPLES", 8, 9, 6, "right"), lambda row, _: f"{row.own:,}"),
)
_REST = (
    HotColumn(Column("module", "MODULE", 10, 24, 5), lambda row, _: row.module, style=CYAN),
    HotColumn(Column("tid", "TID", 7, 7, 1, "right"), lambda row, _: str(row.tid or "-")),
    HotColumn(Column("pid", "PID", 7, 7, 7, "right"), _pid),
    HotColumn(
        Column("comm", "PROCESS", 8, 15, 3),
        lambda row, _: SEVERAL if row.comm is None else row.comm,
        style=DIM,
    ),
    HotColumn(Column(SPARK, "LAST MINUTE", 12, 30, 4), lambda row, _: "", style=CYAN),
)
_COMMAND = HotColumn(
    Column("comm", "COMMAND", 12, 80, 3), lambda row, _: row.command or SEVERAL, style=DIM
)
_COMMANDS = HotColumn(
    Column("name", "PROCESS", 30, 200, 0), lambda row, _: row.command or row.name, "name", BOLD
)
_OF_A_PROCESS = "process", "thread"
_LEFT_OUT = {
    "function": ("tid",),
    "module": ("tid", "module"),
    "process": ("tid", "module", "comm", "total"),
    "thread": ("module", "total"),
}
_OF_TEXTS = "tid", "module", "total"
NEIGHBOUR_COLUMNS = (
    Column("share", "SHARE %", 8, 8, 0, "right"),
    Column("of_all", "OF ALL %", 9, 9, 2, "right"),
    Column("count", "SAMPLES", 8, 9, 3, "right"),
    Column("name", "", 16, 120, 0),
    Column("module", "MODULE", 10, 24, 1),
)
