"""The live table as a frame: header, headings, rows, totals, footer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ebprof.model import FlowReport, FlowRow
from ebprof.screen.layout import GAP, Column, fit_columns
from ebprof.screen.live import Size
from ebprof.screen.text import (
    BOLD,
    BOLD_REVERSE,
    DIM,
    PLAIN,
    RED,
    REVERSE,
    YELLOW,
    Line,
    Span,
    crop,
    fit,
    line,
    span,
    sparkline,
    width_of,
)
from ebprof.traffic.reports import units
from ebprof.traffic.reports.columns import IDENTITY, SPARK, FlowColumn, columns_by

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
    "TX/s, RX/s and CALLS/s: in the last interval; TX, RX,",
    "OPEN/CLOSED, FAILED, RETRANS: since the start. 1 kB is",
    "1000 bytes. * stands for several, ~other for flows that",
    "found no place of their own.",
)


@dataclass(slots=True)
class View:
    """What the user chose to see. text: the filter; typing: it is being typed."""

    by: tuple[str, ...]
    sort: str
    reverse: bool = False
    text: str = ""
    typing: bool = False
    frozen: bool = False
    help: bool = False
    first: int = 0


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
        self._columns: list[FlowColumn] = []
        self._wanted: dict[str, int] = {}

    def lines(self, report: FlowReport, view: View, status: Status, size: Size) -> list[Line]:
        """As many lines as the terminal has."""
        body = _help(size.columns) if view.help else self._table(report, view, size)
        end = [_footer(report, view, status, room_for_rows(size)), _keys(view, size.columns)]
        room = max(0, size.rows - 1 - len(end))
        filling = [()] * (room - len(body))
        header = _header(report, view, status, size.columns)
        return [crop(one, size.columns) for one in (header, *body[:room], *filling, *end)]

    def _table(self, report: FlowReport, view: View, size: Size) -> list[Line]:
        self._choose(view.by)
        shown = _visible(report, view, room_for_rows(size))
        rows = [self._cells(row, report.interval_s) for row in shown]
        totals = self._cells(report.totals, report.interval_s, "total")
        self._widen([*rows, totals])
        columns = self._fit(size.columns)
        lines = [_headings(columns, view, size.columns)]
        lines += [_row(row, cells, columns) for row, cells in zip(shown, rows, strict=True)]
        return [*lines, _row(report.totals, totals, columns, BOLD)]

    def _choose(self, by: tuple[str, ...]) -> None:
        if by != self._by:
            self._by, self._columns = by, columns_by(by)
            self._wanted = {
                one.column.name: 0 if one.optional else one.column.narrow for one in self._columns
            }
            self._wanted[SPARK] = next(
                one.column.wide for one in self._columns if one.column.name == SPARK
            )

    def _cells(self, row: FlowRow, interval_s: float, label: str = "") -> dict[str, str]:
        """Cells by column. A row with a label has it in place of what identifies a flow."""
        if row.is_other:
            label = units.OTHER
        cells = {one.column.name: one.cell(row, interval_s) for one in self._columns}
        if label:
            cells.update(dict.fromkeys(IDENTITY & cells.keys(), ""))
            cells[self._columns[0].column.name] = label
        return cells

    def _widen(self, rows: Iterable[Mapping[str, str]]) -> None:
        for cells in rows:
            for name, text in cells.items():
                if len(text) > self._wanted[name] or not text.isascii():
                    self._wanted[name] = max(self._wanted[name], width_of(text))

    def _fit(self, width: int) -> list[tuple[FlowColumn, int]]:
        by_name = {one.column.name: one for one in self._columns}
        fitted = fit_columns([one.column for one in self._columns], self._wanted, width)
        return [(by_name[column.name], cells) for column, cells in fitted]


def room_for_rows(size: Size) -> int:
    """Rows of flows that a terminal shows."""
    return max(0, size.rows - FIXED_LINES)


def _visible(report: FlowReport, view: View, room: int) -> Sequence[FlowRow]:
    """The rows that there is room for; `~other`, which comes last, is always one of them."""
    rows = report.rows[view.first :]
    if len(rows) > room > 0 and rows[-1].is_other:
        return (*rows[: room - 1], rows[-1])
    return rows[:room]


def _headings(columns: list[tuple[FlowColumn, int]], view: View, width: int) -> Line:
    spans = []
    for one, cells in columns:
        is_sorted = one.sort == view.sort
        mark = ("▲" if view.reverse else "▼") if is_sorted else ""
        text = fit(one.column.heading + mark, cells, one.column.align) + " " * GAP
        spans.append(Span(text, cells + GAP, BOLD_REVERSE if is_sorted else REVERSE))
    return (*spans, Span(" " * width, width, REVERSE))


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


def _header(report: FlowReport, view: View, status: Status, width: int) -> Line:
    parts = [
        f"ebprof traffic ({status.backend})",
        f"by {', '.join(view.by)},",
        f"sort {view.sort}{' reversed' if view.reverse else ''}",
        status.target,
    ]
    clock = _clock(report.elapsed_s)
    right = f"FROZEN  {clock}" if view.frozen else clock
    left = span(" ".join(filter(None, parts)), max(0, width - len(right) - 1), BOLD)
    return (left, Span(f" {right}", len(right) + 1, BOLD_REVERSE if view.frozen else PLAIN))


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


def _keys(view: View, width: int) -> Line:
    if view.typing:
        return line(f"filter: {view.text}_  (Enter keeps it, Escape clears it)", width, BOLD)
    if view.text:
        return line(f"filter: {view.text}  (/ changes it)  {KEYS}", width, DIM)
    return line(KEYS, width, DIM)


def _help(width: int) -> list[Line]:
    return [line("", width, REVERSE), *(line(text, width) for text in HELP)]


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"
