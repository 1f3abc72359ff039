"""The live table of the hottest functions: paints, and does what the keys say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.errors import BadFileError
from ebprof.output import pprof
from ebprof.screen import keyboard
from ebprof.screen.browser import ACTIONS, Browser
from ebprof.screen.live import Screen
from ebprof.screen.newfile import write_new
from ebprof.top.monitor import TopMonitor
from ebprof.top.reports.frame import Shown, Subject, TopFrame, room_for_rows
from ebprof.top.reports.view import TopView
from ebprof.top.rows import CHANGE, PIVOTS, SORTS, Neighbour
from ebprof.top.table import Within

_NAMES_S = 0.1
"""How long a frame waits for names; those that come later are in the next one."""


class LiveTop(Browser[TopView]):
    """Shows a monitor's table on a screen. most: rows at most, None for what there is room for."""

    pivots, orders = PIVOTS, (*SORTS, CHANGE)

    def __init__(
        self,
        screen: Screen,
        monitor: TopMonitor,
        view: TopView,
        most: int | None,
        subject: Subject,
    ) -> None:
        super().__init__(screen, view)
        self._monitor = monitor
        self._most = most
        self._frame = TopFrame(subject)
        self._subject = subject
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)
        self._shown: Shown | None = None

    def show(self) -> None:
        """Show how things are now; while frozen, what there was then."""
        self._monitor.catch_up(_NAMES_S)
        super().show()

    def look(self) -> None:
        """Fetch the rows to show, or the function with its callers and callees."""
        view, table = self.view, self._monitor.table
        table.choose(view.by[0], view.within)
        butterfly = None
        if view.function is not None:
            butterfly = table.butterfly(view.function, whole=view.whole)
        self._order = table.order(view.sort, view.text, reverse=view.reverse, whole=view.whole)
        room = self._room()
        self._keep_in_sight(room)
        report = table.report(self._order, view.first, room, whole=view.whole)
        names = tuple(table.name_of(one) for one in view.within)
        self._shown = Shown(report, butterfly, self._monitor.status(), names)

    def paint(self) -> None:
        """Draw what was fetched."""
        assert self._shown is not None
        self.screen.paint(self._frame.lines(self._shown, self.view, self.screen.size))

    def page(self) -> int:
        """Rows that page up and page down move by."""
        return max(1, self._room() - 1)

    def asked_for(self) -> tuple[object, ...]:
        """What needs other rows."""
        view = self.view
        return *super().asked_for(), view.whole, view.within, view.function, view.selected

    def actions(self) -> Mapping[str, Callable[[Any], None]]:
        """What to do, by key."""
        return _ACTIONS if self.view.function is None else _BUTTERFLY_ACTIONS

    def scroll(self, rows: int) -> None:
        """Select a row further down, or up; at first the first one that is shown."""
        if self.view.function is not None:
            self._select_neighbour(rows)
        elif len(self._order):
            place = self._place()
            at = self.view.first if place is None else place + rows
            self._select(min(max(at, 0), len(self._order) - 1))

    def go_home(self) -> None:
        """Select nothing, and show the first rows."""
        self.view.selected, self.view.place, self.view.first = None, None, 0

    def choose_pivot(self, name: str) -> None:
        """Put rows together by something else."""
        super().choose_pivot(name)
        self.view.selected = self.view.function = self.view.place = None

    def freeze(self) -> None:
        """Stop, or go on; what is sampled meanwhile is added when it goes on."""
        super().freeze()
        self._monitor.hold(self.view.frozen)

    def switch_window(self) -> None:
        """The last seconds, or the whole run."""
        self.view.whole = not self.view.whole

    def mark(self) -> None:
        """Rows have what they have more, or less, than they had until now."""
        self._monitor.table.mark()
        self.view.message = (
            "marked: CHANGE is what grew or shrank since; m marks anew, M clears the mark"
        )

    def clear_mark(self) -> None:
        """Rows have what they have now alone."""
        self._monitor.table.clear_mark()

    def save(self) -> None:
        """Write what was sampled in the window to a new file in the current directory."""
        assert self._monitor.kept is not None
        subject = self._subject
        profile = self._monitor.kept.profile(
            subject.sampled, subject.comments, whole=self.view.whole
        )
        try:
            write = partial(pprof.write, profile)
            path = write_new("ebprof-top", ".pb.gz", time.time(), write)
        except BadFileError as error:
            self.view.message = error.message
        else:
            self.view.message = f"saved {profile.total:,} samples: {path}"

    def enter(self) -> None:
        """Show what is behind the selected row: callers and callees, or functions."""
        view = self.view
        if view.function is not None:
            self._enter_neighbour()
        elif view.selected is not None:
            number, by = view.selected, view.by[0]
            view.leave()
            if by == "function":
                view.function = number
            else:
                view.by, view.within = ("function",), (*view.within, Within(by, number))

    def go_back(self) -> None:
        """Return to where we were before."""
        self.view.go_back()

    @property
    def has_way_back(self) -> bool:
        """Whether this is behind a row of another table."""
        return bool(self.view.visits)

    def _enter_neighbour(self) -> None:
        """Go on to the selected caller or callee; back, when none is selected."""
        view = self.view
        if view.place is None:
            view.go_back()
            return
        number = self._neighbours()[view.place].number
        if number is not None:
            view.leave()
            view.function = number

    def _select_neighbour(self, rows: int) -> None:
        last = len(self._neighbours()) - 1
        place = self.view.place
        self.view.place = min(max(0, 0 if place is None else place + rows), last)

    def _neighbours(self) -> tuple[Neighbour, ...]:
        assert self._shown is not None and self._shown.butterfly is not None
        return self._shown.butterfly.callers + self._shown.butterfly.callees

    def _select(self, place: int) -> None:
        self.view.selected = int(self._order[place])

    def _place(self) -> int | None:
        """Where the selected row stands now."""
        found = np.flatnonzero(self._order == self.view.selected)
        return int(found[0]) if self.view.selected is not None and len(found) else None

    def _room(self) -> int:
        room = room_for_rows(self.screen.size)
        return room if self._most is None else min(room, self._most)

    def _keep_in_sight(self, room: int) -> None:
        """Scroll to the selected row, wherever it went; never beyond the last one."""
        view, place = self.view, self._place()
        if place is not None:
            view.first = min(max(view.first, place - room + 1), place)
        view.first = max(0, min(view.first, len(self._order) - room))


_ACTIONS: Mapping[str, Callable[[Any], None]] = {
    **ACTIONS,
    "a": LiveTop.switch_window,
    "m": LiveTop.mark,
    "M": LiveTop.clear_mark,
    "w": LiveTop.save,
    keyboard.ENTER: LiveTop.enter,
}
_OF_TABLES = ("s", "r", "/", "m", "M", keyboard.RIGHT)
_BUTTERFLY_ACTIONS = {key: action for key, action in _ACTIONS.items() if key not in _OF_TABLES}
