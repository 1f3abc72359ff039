"""Reports that are added to a pipe or file, at the pace of its reader."""

from __future__ import annotations

import time
from itertools import islice
from typing import Protocol

from ebprof.model import FlowCounts, FlowRow
from ebprof.screen.outlet import Outlet
from ebprof.screen.stream import Stream
from ebprof.traffic.monitor import Monitor

_LINES_AT_ONCE = 256  # of what may be 50,000: most are written before the next are made


class Form(Protocol):
    """How rows are written. head: what comes before the first."""

    head: str

    def line(self, row: FlowRow, counts: FlowCounts, time_s: float) -> str:
        """A row with its line end. counts: of the interval that ended at time_s (Unix time)."""


class StreamReport(Stream):
    """Writes what moved in each interval, a row a line."""

    def __init__(
        self,
        outlet: Outlet,
        monitor: Monitor,
        form: Form,
        by: tuple[str, ...],
        sort: str,
        most: int | None,
    ) -> None:
        super().__init__(outlet)
        self.monitor = monitor
        self.not_shown = 0
        self._form = form
        self._by = by
        self._sort = sort
        self._most = most

    def begin(self) -> None:
        """Write what comes before the first report."""
        self.send(self._form.head)

    def show(self) -> None:
        """Write the rows of flows on which something happened in the interval."""
        report = self.monitor.rows(self._by, self._sort, self._most, active=True)
        now = time.time()
        self.not_shown = report.hidden
        lines = (self._form.line(row, row.recent, now) for row in report.rows)
        while part := "".join(islice(lines, _LINES_AT_ONCE)):
            self.send(part)
