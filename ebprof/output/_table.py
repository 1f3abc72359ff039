"""Draws tables of rows: which columns fit, and how wide each is."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from rich.table import Table
from rich.text import Text

from ebprof.model import Profile
from ebprof.output import _slices
from ebprof.output._console import (
    ANY_WIDTH,
    GAP,
    TableColumn,
    console,
    encoded,
    encoding_of,
    table_of,
    width_of_terminal,
)
from ebprof.output._cpu import cores
from ebprof.output._heading import heading
from ebprof.output._look import Look
from ebprof.output._measure import measure, quantity
from ebprof.output._rank import FUNCTION, MODULE, Row, rank
from ebprof.output._text import amount, percent, printable
from ebprof.output._types import is_bare
from ebprof.screen.layout import Column, fit_columns
from ebprof.screen.text import width_of

ROWS = 30

_PLURALS = {"process": "processes"}


@dataclass(frozen=True, slots=True)
class _Cells:
    """A column with its cells. style: of rich, empty for none."""

    column: Column
    text: Callable[[Row], str]
    style: str = ""


def draw(profile: Profile, look: Look, file: BinaryIO) -> None:
    """Write what was sampled, the ROWS hottest rows and how many more there are."""
    by = look.by or FUNCTION
    rows = rank(profile, by)
    text = io.StringIO()
    width = look.width or width_of_terminal(file) or ANY_WIDTH
    to = console(file, text, width)
    if told := heading(profile):
        to.print(told, style="bold", highlight=False, markup=False)
    if load := _slices.line(profile, width, encoding_of(file)):
        to.print(load, highlight=False, markup=False)
    columns = _columns(profile, rows, by)
    to.print(_table(rows[:ROWS], columns, width, profile.total))
    to.print(_footer(profile, len(rows), by), style="dim", highlight=False, markup=False)
    file.write(encoded(text))


def _columns(profile: Profile, rows: Sequence[Row], by: str) -> list[_Cells]:
    """Of a kind of rows. The first that goes where there is no room are lines, then modules."""
    columns = _figures(profile, by)
    if by in ("process", "thread"):
        columns.append(
            _Cells(Column("pid", "PID", 6, 10, 4, "right"), lambda row: _number(row.pid))
        )
    if by == "thread":
        columns.append(
            _Cells(Column("tid", "TID", 6, 10, 2, "right"), lambda row: _number(row.tid))
        )
    columns.append(_Cells(Column("name", by.upper(), 30, ANY_WIDTH, 0), lambda row: row.name))
    if by not in ("process", "comm") and len({name for row in rows for name in row.processes}) > 1:
        process = Column("process", "PROCESS", 10, ANY_WIDTH, 3)
        columns.append(_Cells(process, lambda row: row.process, "green"))
    if by == FUNCTION:
        columns.append(
            _Cells(Column("module", "MODULE", 10, ANY_WIDTH, 6), lambda row: row.module, "cyan")
        )
        columns.append(
            _Cells(Column("line", "LINE", 10, ANY_WIDTH, 7), lambda row: row.place, "dim")
        )
    return columns


def _figures(profile: Profile, by: str) -> list[_Cells]:
    """Shares and amounts; of what is not on a stack the total is its own."""
    total = profile.total
    number = measure(profile.subject).number if not profile.is_sampled else "{:,}".format
    has_total = by in (FUNCTION, MODULE)
    own = Column("self", "SELF" if has_total else "SHARE", 7, 7, 0, "right")
    columns = [_Cells(own, lambda row: percent(row.own, total))]
    if has_total:
        whole = Column("total", "TOTAL", 7, 7, 1, "right")
        columns.append(_Cells(whole, lambda row: percent(row.total, total)))
    if cores(profile, total) is not None:
        busy = Column("cores", "CORES", 5, 9, 4, "right")
        columns.append(_Cells(busy, lambda row: f"{cores(profile, row.own) or 0:.2f}"))
    samples = Column("samples", _amounts(profile), 7, ANY_WIDTH, 5, "right")
    columns.append(_Cells(samples, lambda row: number(row.own)))
    return columns


def _amounts(profile: Profile) -> str:
    return "SAMPLES" if profile.is_sampled else printable(profile.subject.name).upper()


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _table(rows: Sequence[Row], columns: Sequence[_Cells], width: int, total: int) -> Table:
    cells = {one.column.name: [one.text(row) for row in rows] for one in columns}
    texts = {name: [*map(Text, found)] for name, found in cells.items()}
    for text, row in zip(texts[columns[0].column.name], rows, strict=True):
        text.stylize(_heat(row.own, total))
    styles = {one.column.name: one.style for one in columns}
    return table_of(
        [
            TableColumn(one.heading, room, texts[one.name], one.align, styles[one.name])
            for one, room in _fit(columns, cells, width)
        ]
    )


def _fit(
    columns: Sequence[_Cells], cells: Mapping[str, Sequence[str]], width: int
) -> list[tuple[Column, int]]:
    """The columns that there is room for; none is wider than what stands in it."""
    wanted = {
        one.column.name: max(map(width_of, (one.column.heading, *cells[one.column.name])))
        for one in columns
    }
    slim = [
        replace(one.column, narrow=min(one.column.narrow, wanted[one.column.name]))
        for one in columns
    ]
    return fit_columns(slim, wanted, width, GAP)


def _heat(part: int, whole: int) -> str:
    if part * 10 >= whole:
        return "bold red"
    return "yellow" if part * 50 >= whole else ""


def _footer(profile: Profile, rows: int, by: str) -> str:
    parts = [_taken(profile)]
    others = [one.name for one in profile.sample_types if one != profile.subject]
    if others:
        parts.append(printable(f"--sample-type shows {', '.join(others)}"))
    if rows > ROWS:
        parts.append(f"{_more(rows - ROWS, by)} not shown")
    return "; ".join(parts)


def _more(count: int, by: str) -> str:
    noun = by if count == 1 else _PLURALS.get(by, f"{by}s")
    return f"{count:,} more {noun}"


def _taken(profile: Profile) -> str:
    if is_bare(profile):
        return quantity(profile, profile.total)
    if not profile.is_sampled:
        number = measure(profile.subject).number(profile.total)
        return f"{number} of {printable(profile.subject.name)}"
    taken = f"{amount(profile.total, 'sample')} of {printable(profile.event)}"
    if profile.unit == "count" and profile.period > 1:
        taken += f", one each {profile.period:,}"
    return taken
