"""Reports that are added to a pipe or file, at the pace of its reader."""

from __future__ import annotations

import time
from math import inf

from ebprof.screen.outlet import Outlet
from ebprof.screen.stream import Stream
from ebprof.top.monitor import TopMonitor
from ebprof.top.reports.forms import Form


class StreamTop(Stream):
    """Writes the hottest rows of each interval. most: rows at most, None for all.

    A report waits until everything that was sampled in its interval has a name.
    """

    def __init__(
        self, outlet: Outlet, monitor: TopMonitor, form: Form, sort: str, most: int | None
    ) -> None:
        super().__init__(outlet)
        self._monitor = monitor
        self._form = form
        self._sort = sort
        self._most = most

    def begin(self) -> None:
        """Nothing comes before the first report."""

    def show(self) -> None:
        """Write what was sampled since the last report."""
        self._monitor.catch_up(inf)
        table = self._monitor.table
        order = table.order(self._sort, whole=True)
        report = table.report(order, 0, self._most, whole=True)
        self.send(self._form.report(report, self._monitor.status(), time.time()))
