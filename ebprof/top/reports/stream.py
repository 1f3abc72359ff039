"""Reports that are added to a pipe or file, at the pace of its reader."""

from __future__ import annotations

import select
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

    @property
    def is_over(self) -> bool:
        """Whether nobody wants more, or there is nothing left to sample."""
        return super().is_over or self._monitor.is_over

    @property
    def tick_s(self) -> float:
        """Seconds between ticks at most."""
        return self._monitor.recording.tend_s

    @property
    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, with events."""
        return [*super().watched, (self._monitor.recording.fd, select.POLLIN)]

    def react(self) -> None:
        """Take in what was sampled, and write on."""
        self._monitor.tick()
        super().react()

    def begin(self) -> None:
        """Nothing comes before the first report."""

    def show(self) -> None:
        """Write what was sampled since the last report."""
        self._monitor.catch_up(inf)
        table = self._monitor.table
        order = table.order(self._sort, whole=True)
        report = table.report(order, 0, self._most, whole=True)
        self.send(self._form.report(report, self._monitor.status(), time.time()))
