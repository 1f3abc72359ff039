"""The live table: paints reports, and does what the keys say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ebprof.errors import BadFileError
from ebprof.model import FlowReport, FlowRow
from ebprof.screen import keyboard
from ebprof.screen.browser import ACTIONS, Browser, View
from ebprof.screen.live import Screen
from ebprof.screen.newfile import write_new
from ebprof.traffic.grouping import Within
from ebprof.traffic.monitor import Monitor
from ebprof.traffic.reports.counters import lost
from ebprof.traffic.reports.frame import FlowFrame, Status, name_of, room_for_rows
from ebprof.traffic.reports.json import JsonForm

_STEM = "ebprof-traffic"
"""What files of saved windows are called."""
PIVOTS = ("process", "peer", "port", "role", "flow", "container")
# The orders that s goes through, as their columns stand from left to right.
ORDERS = (
    "name",
    "tx",
    "rx",
    "latency",
    "calls",
    "connections",
    "failed",
    "retransmits",
    "rtt",
    "age",
    "total",
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A table that was left for the flows of one of its rows."""

    by: tuple[str, ...]
    selected: bytes
    first: int
    text: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What `w` writes: lines of JSON, and when they were true (Unix time)."""

    lines: tuple[str, ...]
    time_s: float


class LiveReport(Browser[View]):
    """Shows a monitor's flows on a screen. most: rows at most, None for what there is room for.

    target: what the command line's filters leave, for the header.
    """

    pivots, orders = PIVOTS, ORDERS

    def __init__(
        self, screen: Screen, monitor: Monitor, view: View, most: int | None, target: str
    ) -> None:
        super().__init__(screen, view)
        self.monitor = monitor
        self.most = most
        self._target = target
        self._frame = FlowFrame()
        self._report: FlowReport | None = None
        self._selected = b""
        self._within: tuple[Within, ...] = ()
        self._visits: list[Visit] = []
        self._frozen: Saved | None = None

    def asked_for(self) -> tuple[object, ...]:
        """What needs other rows."""
        return *super().asked_for(), self.monitor.names, self._within, self._selected

    def actions(self) -> Mapping[str, Callable[[Any], None]]:
        """What to do, by key."""
        return _ACTIONS

    def page(self) -> int:
        """Rows that page up and page down move by."""
        return max(1, self._room() - 1)

    def toggle_names(self) -> None:
        """Names of peers, or their addresses."""
        self.monitor.names = not self.monitor.names

    def toggle_commands(self) -> None:
        """Command lines in place of names of processes, or the names."""
        super().toggle_commands()
        self.monitor.commands = self.view.commands

    def scroll(self, rows: int) -> None:
        """Select a row further down, or up; at first the first one that is shown."""
        report = self._rows(None)
        number = len(report.rows) - (1 if _ends_with_other(report) else 0)
        if number > 0:
            place = report.place
            at = self.view.first if place is None else place + rows
            self._selected = report.rows[min(max(at, 0), number - 1)].anchor

    def go_home(self) -> None:
        """Select nothing, and show the first rows."""
        super().go_home()
        self._selected = b""

    def choose_pivot(self, name: str) -> None:
        """Put rows together by something else."""
        super().choose_pivot(name)
        self._selected = b""

    def enter(self) -> None:
        """Show the flows of the selected row."""
        row = self._selected_row()
        if row is None:
            self.view.message = "select a row first: down, up"
        elif "flow" in self.view.by:
            self.view.message = "a row is one flow already: b, or 1 to 6, shows other rows"
        else:
            self._visits.append(
                Visit(self.view.by, self._selected, self.view.first, self.view.text)
            )
            name = name_of(row, self.view.by)
            self._within = (*self._within, Within(self.view.by, self._selected, name))
            self._selected, self.view.text = b"", ""
            self.choose_pivot("flow")

    def go_back(self) -> None:
        """Return to the table that we came from, if there is one."""
        if self._visits:
            visit = self._visits.pop()
            self._within = self._within[:-1]
            self.view.by, self.view.first, self.view.text = visit.by, visit.first, visit.text
            self._selected = visit.selected

    @property
    def has_way_back(self) -> bool:
        """Whether these are flows of a row of another table."""
        return bool(self._visits)

    def set_mark(self) -> None:
        """Compare with what was until now, from now on."""
        self.monitor.set_baseline()
        self.view.message = "mark set: CHANGE says what differs since; M clears the mark"

    def clear_mark(self) -> None:
        """Compare no more."""
        self.monitor.clear_baseline()
        self.view.message = "mark cleared"

    def freeze(self) -> None:
        """Stop, or go on; what is saved while it is frozen is what is shown."""
        super().freeze()
        if self.view.frozen:
            self.look()

    def write(self) -> None:
        """Save the rows of the window as JSON."""
        saved = self._frozen or self._window()
        try:
            text = "".join(saved.lines).encode("utf-8", "replace")
            path = write_new(_STEM, ".jsonl", saved.time_s, lambda file: file.write(text))
        except BadFileError as error:
            self.view.message = error.message
        else:
            rows = len(saved.lines)
            self.view.message = f"saved {rows} row{'' if rows == 1 else 's'} to {path.name}"

    def look(self) -> None:
        """Fetch the rows to show; a place beyond the last one is moved there."""
        room = self._room()
        report = self._rows(self.view.first + room)
        number = len(report.rows) + report.hidden
        in_sight = room - 1 if _ends_with_other(report) else room
        first = self._first_in_sight(report.place, number, room, in_sight)
        if first != self.view.first:
            self.view.first = first
            report = self._rows(first + room)
        self._report = replace(report, rows=tuple(report.rows))  # they outlast the next tick
        self._frozen = self._window() if self.view.frozen else None

    def paint(self) -> None:
        """Draw the rows that were fetched."""
        assert self._report is not None
        counters = self.monitor.counters()
        status = Status(
            self.monitor.backend,
            self._target,
            lost(counters),
            counters["overflowed"],
            within=tuple(one.name for one in self._within),
            selected=self._selected,
            counts_turns=self.monitor.counts_turns,
        )
        self.screen.paint(self._frame.lines(self._report, self.view, status, self.screen.size))

    def _room(self) -> int:
        room = room_for_rows(self.screen.size)
        return room if self.most is None else min(room, self.most)

    def _first_in_sight(self, place: int | None, number: int, room: int, in_sight: int) -> int:
        """The first row, so that the selected one is shown; never beyond the last ones.

        in_sight: rows besides `~other`, which is always shown.
        """
        first = self.view.first
        if place is not None:
            first = min(max(first, place - in_sight + 1), place)
        return max(0, min(first, number - room))

    def _selected_row(self) -> FlowRow | None:
        report = self._rows(None) if self._selected else None
        if report is None or report.place is None:
            return None
        return report.rows[report.place]

    def _window(self) -> Saved:
        """All rows on which something happened in the window, as `--json` has them."""
        now, form = time.time(), JsonForm()
        report = self._rows(self.most, active=True)
        return Saved(tuple(form.line(row, row.recent, now) for row in report.rows), now)

    def _rows(self, limit: int | None, *, active: bool = False) -> FlowReport:
        view = self.view
        return self.monitor.rows(
            view.by,
            view.sort,
            limit,
            view.text,
            reverse=view.reverse,
            active=active,
            within=self._within,
            anchor=self._selected,
        )


def _ends_with_other(report: FlowReport) -> bool:
    return bool(len(report.rows)) and report.rows[-1].is_other


_ACTIONS: Mapping[str, Callable[[Any], None]] = {
    **ACTIONS,
    "n": LiveReport.toggle_names,
    "m": LiveReport.set_mark,
    "M": LiveReport.clear_mark,
    "w": LiveReport.write,
    keyboard.ENTER: LiveReport.enter,
}
