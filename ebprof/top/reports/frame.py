"""The live table as a frame: header, headings, rows, footer; or a function between its callers
and callees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ebprof.sampling.source import Sampled
from ebprof.sampling.statistics import complete_text
from ebprof.screen.layout import GAP, fit_columns
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
from ebprof.screen.text import (
    BOLD,
    CYAN,
    DIM,
    PLAIN,
    RED,
    REVERSE,
    YELLOW,
    Line,
    Span,
    fit,
    line,
    sparkline,
    width_of,
)
from ebprof.top.monitor import Status
from ebprof.top.reports.columns import NEIGHBOUR_COLUMNS, OWN, SPARK, HotColumn, columns_by, share
from ebprof.top.reports.view import TopView
from ebprof.top.rows import Butterfly, HotReport, HotRow, Neighbour
from ebprof.top.table import WINDOW_S

FIXED_LINES = 4  # header, headings, footer, keys
_AROUND_NEIGHBOURS = 6  # header, the function, two headings, footer, keys
_HOT, _WARM = 0.1, 0.02
KEYS = "s sort  b by  enter callers  m mark  w save  a all  / filter  h help  q quit"
BUTTERFLY_KEYS = "up, down select  enter go there  backspace back  a all  w save  h help  q quit"
HELP = (
    "up, down, page  select a row; home: none",
    "enter           callers and callees of the function;",
    "                functions of the module, process, thread or",
    "                container",
    "backspace, left back to where you were",
    "s, right, left  the column to sort by",
    "r               the other way round",
    "b, or 1 to 8    a row for each function, module, process,",
    "                thread, container, comm (a thread's name),",
    "                cgroup, command line",
    f"a               the last {WINDOW_S} seconds, or the whole run",
    "c               command lines in place of names of processes",
    "m, M            mark: CHANGE is how much more or less a row",
    "                has since; M clears the mark",
    "w               save what was sampled in the window as pprof",
    "f, space        freeze; what is sampled meanwhile is added",
    "/               filter: part of a function, module, process",
    "                or PID; Enter keeps it, Escape clears it",
    "q, Ctrl-C       quit; the last screen stays",
    "",
    "SELF: it was running; TOTAL: it, or what it called. * is",
    "several processes.",
)


@dataclass(frozen=True, slots=True)
class Subject:
    """Of whom what is sampled.

    target: for people; is_one_process: rows need not say whose; cpus: on how many it can run, 0 for
    unknown; comments: of profiles that are saved.
    """

    target: str
    sampled: Sampled
    is_one_process: bool
    cpus: int = 0
    comments: tuple[str, ...] = ()

    def amount(self, samples: int, seconds: float) -> str:
        """`99 samples/s, 0.98 cores of 2`."""
        pace, cores = self.sampled.pace(samples, seconds), self.sampled.cores(samples, seconds)
        of = f" of {self.cpus}" if self.cpus else ""
        return pace if cores is None else f"{pace}, {cores:.2f} cores{of}"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a frame shows. butterfly: in place of the report; within: names, for the header."""

    report: HotReport
    butterfly: Butterfly | None
    status: Status
    within: tuple[str, ...] = ()


class TopFrame:
    """Draws frames; remembers how wide columns were, so that they do not jump."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._chosen = "", False
        self._columns: dict[str, HotColumn] = {}
        self._widths = Widths(())

    def lines(self, shown: Shown, view: TopView, size: Size) -> list[Line]:
        """As many lines as the terminal has."""
        header = header_line(self._parts(shown, view), view, shown.status.elapsed_s, size.columns)
        keys = KEYS if shown.butterfly is None else BUTTERFLY_KEYS
        end = [_footer(shown, view), keys_line(view, keys, size.columns)]
        return assemble(header, self._body(shown, view, size), end, size)

    def _body(self, shown: Shown, view: TopView, size: Size) -> list[Line]:
        if view.help:
            return help_lines(HELP, size.columns)
        if shown.butterfly is not None:
            return list(_butterfly(shown.butterfly, view, size))
        return self._table(shown.report, view, size.columns)

    def _table(self, report: HotReport, view: TopView, width: int) -> list[Line]:
        self._choose(view.by[0], commands=view.commands)
        rows = [self._cells(row, report) for row in report.rows]
        self._widths.widen(rows)
        columns = [(self._columns[one.name], cells) for one, cells in self._widths.fit(width)]
        headings = (heading(one.column, cells, one.sort, view) for one, cells in columns)
        lines = [bar(headings, width)]
        for row, cells in zip(report.rows, rows, strict=True):
            is_selected = row.number == view.selected
            lines.append(_row(row, cells, columns, report.samples, is_selected=is_selected))
        return lines

    def _choose(self, by: str, *, commands: bool) -> None:
        if (by, commands) != self._chosen:
            self._chosen = by, commands
            subject = self._subject
            columns = columns_by(
                by,
                subject.sampled,
                many_processes=not subject.is_one_process,
                commands=commands,
            )
            self._columns = {one.column.name: one for one in columns}
            self._widths = Widths([one.column for one in columns], optional=["change"])
            self._widths.want(SPARK, self._columns[SPARK].column.wide)

    def _cells(self, row: HotRow, report: HotReport) -> dict[str, str]:
        return {name: one.cell(row, report) for name, one in self._columns.items()}

    def _parts(self, shown: Shown, view: TopView) -> tuple[str, ...]:
        report, sampled = shown.report, self._subject.sampled
        return (
            f"ebprof top: {self._subject.target}, {sampled.describe()},",
            f"{self._subject.amount(report.samples, report.seconds)},",
            f"{complete_text(shown.status.complete_share)},",
            *(f"in {name}," for name in shown.within),
            f"by {view.by[0]}, {sort_text(view)}" if shown.butterfly is None else "one function",
        )


def room_for_rows(size: Size) -> int:
    """Rows of the table that a terminal shows."""
    return max(0, size.rows - FIXED_LINES)


def _row(
    row: HotRow,
    cells: Mapping[str, str],
    columns: Sequence[tuple[HotColumn, int]],
    samples: int,
    *,
    is_selected: bool,
) -> Line:
    spans = []
    for one, width in columns:
        if one.column.name == SPARK:
            text = sparkline(row.history, width)
        else:
            text = fit(cells[one.column.name], width, one.column.align)
        style = _heat(row.own, samples) if one.column.name == OWN else one.style
        spans.append(Span(text + " " * GAP, width + GAP, REVERSE if is_selected else style))
    return tuple(spans)


def _heat(part: int, whole: int) -> str:
    if part >= _HOT * whole:
        return RED
    return YELLOW if part >= _WARM * whole else PLAIN


def _butterfly(shown: Butterfly, view: TopView, size: Size) -> list[Line]:
    """The function, its callers, its callees: as many of each as there is room for."""
    room = max(0, size.rows - _AROUND_NEIGHBOURS)
    of_callers = min(len(shown.callers), max(room // 2, room - len(shown.callees)))
    of_callees = room - of_callers
    place, callers = view.place, len(shown.callers)
    in_callees = None if place is None or place < callers else place - callers
    in_callers = place if place is not None and place < callers else None
    return [
        _title(shown, size.columns),
        *_neighbours("CALLERS", shown.callers, shown, of_callers, in_callers, size.columns),
        *_neighbours("CALLEES", shown.callees, shown, of_callees, in_callees, size.columns),
    ]


def _title(shown: Butterfly, width: int) -> Line:
    row = shown.row
    own, total = (share(part, shown.samples) for part in (row.own, row.total))
    figures = f"  self {own} %, total {total} %, {row.total:,} samples"
    room = max(8, width - len(figures))
    text = f"{row.name} ({row.module})" if row.module else row.name
    return (*line(text, min(width_of(text), room), BOLD), Span(figures, len(figures)))


def _neighbours(
    name: str,
    found: Sequence[Neighbour],
    shown: Butterfly,
    room: int,
    selected: int | None,
    width: int,
) -> list[Line]:
    first = max(0, (selected or 0) - room + 1)
    visible = found[first : first + room]
    rows = [_neighbour_cells(one, shown) for one in visible]
    wanted = {
        key: max((width_of(cells[key]) for cells in rows), default=0) + 1
        for key in ("name", "module")
    }
    columns = fit_columns(NEIGHBOUR_COLUMNS, wanted, width)
    headings = [
        Span(fit(one.heading or name, cells, one.align) + " " * GAP, cells + GAP, REVERSE)
        for one, cells in columns
    ]
    lines = [bar(headings, width)]
    for place, cells in enumerate(rows, first):
        lines.append(
            tuple(
                Span(
                    fit(cells[one.name], width, one.align) + " " * GAP,
                    width + GAP,
                    REVERSE if place == selected else CYAN if one.name == "module" else PLAIN,
                )
                for one, width in columns
            )
        )
    return lines


def _neighbour_cells(one: Neighbour, shown: Butterfly) -> dict[str, str]:
    return {
        "share": share(one.count, shown.row.total),
        "of_all": share(one.count, shown.samples),
        "count": f"{one.count:,}",
        "name": one.name,
        "module": one.module,
    }


def _footer(shown: Shown, view: TopView) -> Line:
    status, report = shown.status, shown.report
    window = "whole run" if view.whole else f"last {WINDOW_S} s"
    rows = f"{len(report.rows)} shown, {report.hidden} hidden"
    texts = [(f"{window}  {rows}" if shown.butterfly is None else window, PLAIN)]
    if report.before_s:
        texts.append(("marked (M clears it)", YELLOW))
    if report.apart:
        texts.append((f"ebprof's own {report.apart} apart", DIM))
    texts.append((f"lost {status.lost}", RED if status.lost else PLAIN))
    texts += [(f"{name} {count}", YELLOW) for name, count in status.stops.items()]
    own, kernel = 100 * status.own_share, 100 * status.kernel_share
    texts.append((f"ebprof {own:.1f} % CPU, {kernel:.2f} % in the kernel", DIM))
    if status.is_waiting:
        texts.insert(1, ("reading symbols", YELLOW))
    return tuple(Span(f"{text}  ", len(text) + 2, style) for text, style in texts)
