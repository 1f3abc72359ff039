"""The live table: paints reports, and does what the keys say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ebprof.model import FlowReport
from ebprof.screen.browser import ACTIONS, Browser, View
from ebprof.screen.live import Screen
from ebprof.traffic.monitor import Monitor
from ebprof.traffic.reports.counters import lost
from ebprof.traffic.reports.frame import FlowFrame, Status, room_for_rows

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

    def asked_for(self) -> tuple[object, ...]:
        """What needs other rows."""
        return *super().asked_for(), self.monitor.names

    def actions(self) -> Mapping[str, Callable[[Any], None]]:
        """What to do, by key."""
        return _ACTIONS

    def page(self) -> int:
        """Rows that page up and page down move by."""
        return max(1, room_for_rows(self.screen.size) - 1)

    def toggle_names(self) -> None:
        """Names of peers, or their addresses."""
        self.monitor.names = not self.monitor.names

    def look(self) -> None:
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

    def paint(self) -> None:
        """Draw the rows that were fetched."""
        assert self._report is not None
        counters = self.monitor.counters()
        status = Status(self.monitor.backend, self._target, lost(counters), counters["overflowed"])
        self.screen.paint(self._frame.lines(self._report, self.view, status, self.screen.size))

    def _rows(self, limit: int) -> FlowReport:
        view = self.view
        return self.monitor.rows(view.by, view.sort, limit, view.text, reverse=view.reverse)


_ACTIONS = {**ACTIONS, "n": LiveReport.toggle_names}
