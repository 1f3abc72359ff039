"""The live table as a frame: header, headings, rows, totals, footer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from ebprof.screen.text import BOLD, DIM, PLAIN, RED, REVERSE, YELLOW, Line, Span, fit, sparkline
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
KEYS = "s sort  b by  enter flows  m mark  w save  h help  q quit"
HELP = (
    "up, down, page  select a row; home: none",
    "enter           its flows; backspace, left: back",
    "s, right, left  the column to sort by; r the other way round",
    "b, or 1 to 6    a row for each process, peer, port, role,",
    "                flow, container",
    "f, space        freeze; what moves meanwhile is counted",
    "/               filter: part of a name, address, port or",
    "                container; Enter keeps it, Escape clears it",
    "n, c            names of peers; command lines of processes",
    "m, M            mark: CHANGE is how many times as much there",
    "                is since, of what is sorted by; M clears it",
    "w               save the rows of the window as JSON",
    "q, Ctrl-C       quit; the last screen stays",
    "",
    "TX/s, RX/s, TURNS/s, CALLS/s: in the last interval; TX, RX,",
    "OPEN/CLOSED, FAILED, RETRANS, MAX: since the start.",
    "LATENCY, MAX: how long a server takes to answer, a client",
    "waits: the mean, and the longest. 1 kB is 1000 bytes. * is",
    "several, ~other flows that found no place of their own.",
)


@dataclass(frozen=True, slots=True)
class Status:
    """What header and footer say besides. target: what the command line's filters leave.

    within: names of the rows whose flows are shown; selected: the anchor of a row. counts_turns:
    whether latencies are measured.
    """

    backend: str
    target: str
    lost: int
    overflowed: int
    within: tuple[str, ...] = ()
    selected: bytes = b""
    counts_turns: bool = True


class FlowFrame:
    """Draws frames; remembers how wide columns were, so that they do not jump."""

    def __init__(self) -> None:
        self._chosen: tuple[tuple[str, ...], str, bool] = ((), "", False)
        self._columns: dict[str, FlowColumn] = {}
        self._widths = Widths(())

    def lines(self, report: FlowReport, view: View, status: Status, size: Size) -> list[Line]:
        """As many lines as the terminal has."""
        body = (
            help_lines(HELP, size.columns)
            if view.help
            else self._table(report, view, size, status.selected)
        )
        footer = _footer(report, view, status, room_for_rows(size))
        header = header_line(_parts(view, status), view, report.elapsed_s, size.columns)
        return assemble(header, body, [footer, keys_line(view, KEYS, size.columns)], size)

    def _table(
        self, report: FlowReport, view: View, size: Size, selected: bytes = b""
    ) -> list[Line]:
        self._choose(view)
        shown = _visible(report, view, room_for_rows(size))
        rows = [self._cells(row, report.interval_s) for row in shown]
        totals = self._cells(report.totals, report.interval_s, "total")
        self._widths.widen([*rows, totals])
        columns = [(self._columns[one.name], cells) for one, cells in self._fit(size.columns)]
        headings = (heading(one.column, cells, one.sort, view) for one, cells in columns)
        lines = [bar(headings, size.columns)]
        for row, cells in zip(shown, rows, strict=True):
            is_selected = bool(selected) and row.anchor == selected
            lines.append(_row(row, cells, columns, REVERSE if is_selected else ""))
        return [*lines, _row(report.totals, totals, columns, BOLD)]

    def _choose(self, view: View) -> None:
        chosen = (view.by, view.sort, view.commands)
        if chosen != self._chosen:
            self._chosen = chosen
            columns = columns_by(view.by, view.sort, commands=view.commands)
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
    within = (f"in {name}," for name in status.within)
    return f"ebprof traffic ({status.backend})", *within, by, sort_text(view), status.target


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
    notes = []
    if report.since_mark_s is not None:
        notes.append(f"  mark {units.duration(report.since_mark_s)} ago")
    if not status.counts_turns:
        notes.append("  no latencies: no calls are seen")
    return (*spans, *(Span(text, len(text), YELLOW) for text in notes))


_NAMES: dict[str, Callable[[FlowRow], str | None]] = {
    "process": lambda row: f"{row.comm} ({row.pid or '-'})",
    "peer": units.peer,
    "port": lambda row: None if row.port is None else f":{row.port}",
    "local": units.local,
    "container": lambda row: units.container(row) or None,
    "family": lambda row: None if row.family is None else f"IPv{row.family}",
}


def name_of(row: FlowRow, by: tuple[str, ...]) -> str:
    """What tells a row from others that are put together by the same, for people."""
    named = (_NAMES[one](row) if one in _NAMES else getattr(row, one) for one in by)
    return " ".join(str(name or "-") for name in named)
