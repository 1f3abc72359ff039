"""The loop of a run: counts, reports every interval, heeds keys and signals."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ebprof.signals import SignalNotes, ending, tolerate_one
from ebprof.watch.ending import Ending


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to report and when to end. interval_s: None for one report, at the end.

    count: reports; duration_s: of the run; None for no such end.
    """

    interval_s: float | None
    count: int | None
    duration_s: float | None


class Monitor(Protocol):
    """What counts."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to count."""

    @property
    def tick_s(self) -> float:
        """Seconds between ticks at most."""

    @property
    def watched(self) -> Sequence[tuple[int, int]]:
        """Descriptors to poll, with events: when one is ready, there is something to tick for."""

    def begin(self) -> None:
        """Begin to count, where that was not done before."""

    def tick(self) -> None:
        """Take in what there is to count."""

    def mark(self) -> None:
        """Let the next tick begin a new interval."""

    def stop(self) -> None:
        """Count no more; what was counted can still be taken in.

        Called by a thread of its own at the end of the run, be it in the midst of a tick.
        """


class Report(Protocol):
    """Where reports go to."""

    @property
    def is_over(self) -> bool:
        """Whether nobody wants more."""

    @property
    def is_waiting(self) -> bool:
        """Whether the last report is still on its way, so that the next has to wait."""

    @property
    def watched(self) -> Sequence[tuple[int, int]]:
        """Descriptors to poll, with events."""

    def begin(self) -> None:
        """Counting has begun."""

    def react(self) -> None:
        """One of the descriptors is ready."""

    def show(self) -> None:
        """Report the interval that has just ended."""

    def finish(self) -> None:
        """Leave nothing unwritten."""


class Watch:
    """One run: from the first count to the last report."""

    def __init__(self, monitor: Monitor, report: Report, schedule: Schedule) -> None:
        self._monitor = monitor
        self._report = report
        self._schedule = schedule
        self._reports = 0
        self._next_tick = self._next_report = self._end = 0.0

    def run(self) -> None:
        """Until a signal, the schedule or the report's reader ends it."""
        with SignalNotes(*ending(), after=tolerate_one) as notes:
            self._begin()
            with Ending(self._monitor.stop, self._end, notes.fd):
                self._loop(notes)
            self._report_rest()
        self._report.finish()

    def _loop(self, notes: SignalNotes) -> None:
        while not self._report.is_over and not self._is_done():
            ready = self._wait(notes.fd)
            if notes.fd in ready:
                notes.take()
                break
            if _is_any(self._monitor.watched, ready):
                self._tick(time.monotonic())
            if _is_any(self._report.watched, ready):
                self._report.react()
            self._keep_time(time.monotonic())

    def _begin(self) -> None:
        self._monitor.begin()
        start = time.monotonic()
        self._next_tick = start
        self._next_report = start + (self._schedule.interval_s or float("inf"))
        self._end = start + (self._schedule.duration_s or float("inf"))
        self._report.begin()

    def _wait(self, notes_fd: int) -> set[int]:
        """Descriptors that are ready, none when it is time to do something."""
        poll = select.poll()
        poll.register(notes_fd, select.POLLIN)
        for fd, events in (*self._monitor.watched, *self._report.watched):
            poll.register(fd, events)
        due = min(self._next_tick, self._end)
        if not self._report.is_waiting:
            due = min(due, self._next_report)
        return {fd for fd, _ in poll.poll(max(0.0, 1000 * (due - time.monotonic())))}

    def _keep_time(self, now: float) -> None:
        is_due = self._next_report <= now < self._end and not self._report.is_waiting
        if now >= self._next_tick or is_due:
            self._tick(now)
        if is_due:
            self._show()
            self._next_report += self._schedule.interval_s or 0
            if self._next_report <= now:  # what was missed is in this report
                self._next_report = now + (self._schedule.interval_s or 0)

    def _tick(self, now: float) -> None:
        self._monitor.tick()
        self._next_tick = now + self._monitor.tick_s

    def _show(self) -> None:
        self._report.show()
        self._monitor.mark()
        self._reports += 1

    def _is_done(self) -> bool:
        is_last = self._reports == self._schedule.count
        return is_last or self._monitor.is_over or time.monotonic() >= self._end

    def _report_rest(self) -> None:
        """What happened since the last report, unless that was the last that was asked for."""
        if self._reports != self._schedule.count:
            self._tick(time.monotonic())
            self._show()


def _is_any(watched: Sequence[tuple[int, int]], ready: set[int]) -> bool:
    return any(fd in ready for fd, _ in watched)
