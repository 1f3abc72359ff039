"""The live table: paints reports, and does what the keys say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ebprof.model import FlowReport
from ebprof.screen import keyboard
from ebprof.screen.live import RESIZE, Screen
from ebprof.traffic.monitor import Monitor
from ebprof.traffic.reports.counters import lost
from ebprof.traffic.reports.frame import FlowFrame, Status, View, room_for_rows

PIVOTS = ("process", "peer", "port", "role", "flow", "container")
# The orders that s goes through, as their columns stand from left to right.
ORDERS = (
    "name",
    "tx",
    "rx",
    "calls",
    "connections",
    "failed",
    "retransmits",
    "rtt",
    "age",
    "total",
)
_MAX_FILTER = 64


@dataclass(slots=True)
class LiveReport:
    """Shows a monitor's flows on a screen. most: rows at most, None for what there is room for.

    target: what the command line's filters leave, for the header.
    """

    screen: Screen
    monitor: Monitor
    view: View
    most: int | None
    target: str
    is_over: bool = False
    _frame: FlowFrame = field(default_factory=FlowFrame)
    _report: FlowReport | None = None

    is_waiting = False

    @property
    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, with events."""
        return self.screen.watched

    def react(self) -> None:
        """Do what the keys say that were pressed, and show it."""
        before = self._asked_for()
        pressed = self.screen.take_keys()
        for key in pressed:
            self._press(key)
        if pressed and not self.is_over:
            if not self.view.frozen or self._asked_for() != before:
                self._look()
            self._paint()

    def begin(self) -> None:
        """Show that we are there, before there is much to see."""
        self.show()

    def show(self) -> None:
        """Show how things are now; while frozen, what there was then."""
        if self._report is None or not self.view.frozen:
            self._look()
        self._paint()

    def finish(self) -> None:
        """Show the table, whatever was there: the screen leaves it in the scrollback."""
        self.view.help = self.view.typing = False
        self._paint()

    def _press(self, key: str) -> None:
        view = self.view
        if key == keyboard.HANG_UP:
            self.is_over = True
        elif key == keyboard.REDRAW:
            self.screen.redraw()
        elif key == RESIZE:
            return
        elif view.typing:
            self._type(key)
        elif view.help and key != "q":
            view.help = False
        elif key.isdigit():
            self._pivot(key)
        elif key in _ACTIONS:
            _ACTIONS[key](self)

    def _type(self, key: str) -> None:
        view = self.view
        if key == keyboard.ENTER:
            view.typing = False
        elif key == keyboard.ESCAPE:
            view.typing, view.text = False, ""
        elif key == keyboard.CLEAR_LINE:
            view.text = ""
        elif key == keyboard.BACKSPACE:
            view.text = view.text[:-1]
        elif len(key) == 1 and len(view.text) < _MAX_FILTER:
            view.text += key
        view.first = 0

    def _pivot(self, key: str) -> None:
        number = int(key)
        if 1 <= number <= len(PIVOTS):
            self.view.by = (PIVOTS[number - 1],)
            self.view.first = 0

    def _next_pivot(self) -> None:
        by = self.view.by[0]
        place = PIVOTS.index(by) + 1 if by in PIVOTS and len(self.view.by) == 1 else 0
        self._pivot(str(place % len(PIVOTS) + 1))

    def _next_order(self, step: int = 1) -> None:
        place = ORDERS.index(self.view.sort)
        self.view.sort = ORDERS[(place + step) % len(ORDERS)]

    def _previous_order(self) -> None:
        self._next_order(-1)

    def _reverse(self) -> None:
        self.view.reverse = not self.view.reverse

    def _freeze(self) -> None:
        self.view.frozen = not self.view.frozen

    def _filter(self) -> None:
        self.view.typing = True

    def _clear_filter(self) -> None:
        self.view.text = ""

    def _toggle_names(self) -> None:
        self.monitor.names = not self.monitor.names

    def _help(self) -> None:
        self.view.help = True

    def _quit(self) -> None:
        self.is_over = True

    def _scroll(self, rows: int) -> None:
        self.view.first = max(0, self.view.first + rows)

    def _page(self) -> int:
        return max(1, room_for_rows(self.screen.size) - 1)

    def _asked_for(self) -> tuple[object, ...]:
        """What needs other rows: those of a frozen table are fetched anew for it."""
        view = self.view
        return view.by, view.sort, view.reverse, view.text, view.first, self.monitor.names

    def _look(self) -> None:
        """Fetch the rows to show; a place beyond the last one is moved there."""
        room = room_for_rows(self.screen.size)
        if self.most is not None:
            room = min(room, self.most)
        report = self._rows(self.view.first + room)
        last = max(0, len(report.rows) + report.hidden - room)
        if self.view.first > last:
            self.view.first = last
            report = self._rows(last + room)
        self._report = replace(report, rows=tuple(report.rows))  # they outlast the next tick

    def _rows(self, limit: int) -> FlowReport:
        view = self.view
        return self.monitor.rows(view.by, view.sort, limit, view.text, reverse=view.reverse)

    def _paint(self) -> None:
        assert self._report is not None
        counters = self.monitor.counters()
        status = Status(self.monitor.backend, self.target, lost(counters), counters["overflowed"])
        self.screen.paint(self._frame.lines(self._report, self.view, status, self.screen.size))


_ACTIONS: dict[str, Callable[[LiveReport], None]] = {
    "s": LiveReport._next_order,
    keyboard.RIGHT: LiveReport._next_order,
    keyboard.LEFT: LiveReport._previous_order,
    "r": LiveReport._reverse,
    "b": LiveReport._next_pivot,
    "f": LiveReport._freeze,
    " ": LiveReport._freeze,
    "/": LiveReport._filter,
    keyboard.ESCAPE: LiveReport._clear_filter,
    "n": LiveReport._toggle_names,
    "h": LiveReport._help,
    "?": LiveReport._help,
    "q": LiveReport._quit,
    keyboard.UP: lambda live: live._scroll(-1),
    keyboard.DOWN: lambda live: live._scroll(1),
    keyboard.PAGE_UP: lambda live: live._scroll(-live._page()),
    keyboard.PAGE_DOWN: lambda live: live._scroll(live._page()),
    keyboard.HOME: lambda live: live._scroll(-live.view.first),
}
