"""Reports that are added to a pipe or file, at the pace of its reader."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from ebprof.model import FlowCounts, FlowRow
from ebprof.screen.outlet import Outlet
from ebprof.traffic.monitor import Monitor

_LINES_AT_ONCE = 256  # of what may be 50,000: most are written before the next are made


class Form(Protocol):
    """How rows are written. head: what comes before the first."""

    head: str

    def line(self, row: FlowRow, counts: FlowCounts, time_s: float) -> str:
        """A row with its line end. counts: of the interval that ended at time_s (Unix time)."""


@dataclass(slots=True)
class StreamReport:
    """Writes what moved in each interval, a row a line.

    While the reader has not taken the last report there is no new one: the next covers a longer
    interval, so that nothing is left out and nothing piles up.
    """

    outlet: Outlet
    monitor: Monitor
    form: Form
    by: tuple[str, ...]
    sort: str
    most: int | None
    is_over: bool = False
    not_shown: int = 0

    @property
    def is_waiting(self) -> bool:
        """Whether the last report is not yet written."""
        return self.outlet.is_pending

    @property
    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, with events."""
        return [(self.outlet.fd, self.outlet.events)]

    def begin(self) -> None:
        """Write what comes before the first report."""
        self._send(self.form.head)

    def react(self) -> None:
        """Write on. Where nothing waits to be written, poll told that the reader is gone."""
        if self.outlet.is_pending:
            self._send("")
        else:
            self.is_over = True

    def show(self) -> None:
        """Write the rows of flows on which something happened in the interval."""
        report = self.monitor.rows(self.by, self.sort, self.most, active=True)
        now = time.time()
        self.not_shown = report.hidden
        lines = (self.form.line(row, row.recent, now) for row in report.rows)
        while part := "".join(islice(lines, _LINES_AT_ONCE)):
            self._send(part)

    def finish(self) -> None:
        """Write all, however long the reader takes."""
        with contextlib.suppress(BrokenPipeError):
            self.outlet.flush(None)

    def _send(self, text: str) -> None:
        """A reader that has gone away has seen enough: it ends the run, and is no error."""
        try:
            self.outlet.send(text.encode("utf-8", "replace"))
        except BrokenPipeError:
            self.outlet.drop()
            self.is_over = True
