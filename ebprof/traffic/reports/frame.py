"""The live table as a frame: header, headings, rows, totals, footer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ebprof.model import FlowReport, FlowRow
from ebprof.screen.browser import View
from ebprof.screen.layout import GAP, Column
from ebprof.screen.live import Size
from ebprof.screen.table import (
    Widths,
    assemble,
    bar,
    header_line,
    heading,
    help_lines,
    keys_line,
    sort_text,
)
from ebprof.screen.text import BOLD, DIM, PLAIN, RED, YELLOW, Line, Span, fit, sparkline
from ebprof.traffic.reports import units
from ebprof.traffic.reports.columns import (
    IDENTITY,
    LOCAL,
    OF_ONE_ROLE,
    PORT,
    SPARK,
    FlowColumn,
    columns_by,
)

FIXED_LINES = 5  # header, headings, totals, footer, keys
KEYS = "s sort  b by  f freeze  / filter  n names  h help  q quit"
HELP = (
    "s, right, left  the column to sort by",
    "r               the other way round",
    "b, or 1 to 6    a row for each process, peer, port, role,",
    "                flow, container",
    "f, space        freeze; what moves meanwhile is counted",
    "/               filter: part of a name, address, port or",
    "                container; Enter keeps it, Escape clears it",
    "n               names of peers, or their addresses",
    "up, down, page  further rows",
    "q, Ctrl-C       quit; the last screen stays",
    "",
    "TX/s, RX/s, TURNS/s, CALLS/s: in the last interval; TX,",
    "RX, OPEN/CLOSED, FAILED, RETRANS: since the start. 1 kB is",
    "1000 bytes. LATENCY, MAX: a server's time to answer, a",
    "client's to wait; the mean, and the longest since the",
    "start. * stands for several, ~other for flows that found",
    "no place of their own.",
)


@dataclass(frozen=True, slots=True)
class Status:
    """What header and footer say besides. target: what the command line's filters leave."""

    backend: str
    target: str
    lost: int
    overflowed: int


class FlowFrame:
    """Draws frames; remembers how wide columns were, so that they do not jump."""

    def __init__(self) -> None:
        self._by: tuple[str, ...] = ()
        self._columns: dict[str, FlowColumn] = {}
        self._widths = Widths(())

    def lines(self, report: FlowReport, view: View, status: Status, size: Size) -> list[Line]:
        """As many lines as the terminal has."""
        body = help_lines(HELP, size.columns) if view.help else self._table(report, view, size)
        footer = _footer(report, view, status, room_for_rows(size))
        header = header_line(_parts(view, status), view, report.elapsed_s, size.columns)
        return assemble(header, body, [footer, keys_line(view, KEYS, size.columns)], size)

    def _table(self, report: FlowReport, view: View, size: Size) -> list[Line]:
        self._choose(view.by)
        shown = _visible(report, view, room_for_rows(size))
        rows = [self._cells(row, report.interval_s) for row in shown]
        totals = self._cells(report.totals, report.interval_s, "total")
        self._widths.widen([*rows, totals])
        columns = [(self._columns[one.name], cells) for one, cells in self._fit(size.columns)]
        headings = (heading(one.column, cells, one.sort, view) for one, cells in columns)
        lines = [bar(headings, size.columns)]
        lines += [_row(row, cells, columns) for row, cells in zip(shown, rows, strict=True)]
        return [*lines, _row(report.totals, totals, columns, BOLD)]

    def _choose(self, by: tuple[str, ...]) -> None:
        if by != self._by:
            self._by, columns = by, columns_by(by)
            self._columns = {one.column.name: one for one in columns}
            optional = [one.column.name for one in columns if one.optional]
            self._widths = Widths([one.column for one in columns], optional)
            self._widths.want(SPARK, self._columns[SPARK].column.wide)

    def _fit(self, width: int) -> list[tuple[Column, int]]:
        """The columns that fit: the server's port has one where there is no room for LOCAL."""
        if self._columns[PORT].column.rank == 0:
            return self._widths.fit(width)
        fitted = self._widths.fit(width, without=PORT)
        has_local = any(one.name == LOCAL for one, _ in fitted)
        return fitted if has_local else self._widths.fit(width)

    def _cells(self, row: FlowRow, interval_s: float, label: str = "") -> dict[str, str]:
        """Cells by column. A row with a label has it in place of what identifies a flow."""
        if row.is_other:
            label = units.OTHER
        cells = {name: one.cell(row, interval_s) for name, one in self._columns.items()}
        if label:
            cells.update(dict.fromkeys((IDENTITY | OF_ONE_ROLE) & cells.keys(), ""))
            cells[next(iter(self._columns))] = label
        return cells


def room_for_rows(size: Size) -> int:
    """Rows of flows that a terminal shows."""
    return max(0, size.rows - FIXED_LINES)


def _visible(report: FlowReport, view: View, room: int) -> Sequence[FlowRow]:
    """The rows that there is room for; `~other`, which comes last, is always one of them."""
    rows = report.rows[view.first :]
    if len(rows) > room > 0 and rows[-1].is_other:
        return (*rows[: room - 1], rows[-1])
    return rows[:room]


def _row(
    row: FlowRow, cells: Mapping[str, str], columns: list[tuple[FlowColumn, int]], style: str = ""
) -> Line:
    if not style:
        style = YELLOW if row.is_other else PLAIN if units.is_active(row.recent) else DIM
    spans = []
    for one, width in columns:
        text = _cell_text(row, one.column, cells, width)
        spans.append(Span(text + " " * GAP, width + GAP, style or one.style))
    return tuple(spans)


def _cell_text(row: FlowRow, column: Column, cells: Mapping[str, str], width: int) -> str:
    if column.name == SPARK:
        return sparkline(row.history, width)
    return fit(cells[column.name], width, column.align)


def _parts(view: View, status: Status) -> tuple[str, ...]:
    by = f"by {', '.join(view.by)},"
    return f"ebprof traffic ({status.backend})", by, sort_text(view), status.target


def _footer(report: FlowReport, view: View, status: Status, room: int) -> Line:
    shown = len(_visible(report, view, room))
    hidden = report.hidden + len(report.rows) - shown
    counts = f"{status.backend}  {shown} shown, {hidden} hidden"
    lost, overflowed = f"lost {status.lost}", f"overflowed {status.overflowed}"
    spans = [
        Span(f"{counts}  ", len(counts) + 2),
        Span(f"{lost}  ", len(lost) + 2, RED if status.lost else PLAIN),
        Span(overflowed, len(overflowed), YELLOW if status.overflowed else PLAIN),
    ]
    return tuple(spans)
