"""What the BPF programs and perf's side band tell, brought into the order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter

from ebprof.bpf.records import DeferredSample, RecordReader, Records
from ebprof.bpf.sideband import Bound, Change, Executed, Exited, Sideband
from ebprof.procfs import process
from ebprof.walls import Walls

Event = Change | DeferredSample

MAX_HELD = 64 << 20
"""Bytes; with the rings full, samples in new code are counted with a stop reason instead."""
MAX_EVENTS = 1 << 18
"""Of 200 bytes; with the rings full, lost changes are counted and processes read anew."""

LEAVING_NS = 100_000_000
"""A task is still sampled on its way out, on which it may have to wait for a CPU."""


class Timeline:
    """Empties the rings, and hands out changes of processes and deferred samples by time.

    A sample is unwound by what the process had mapped at its time: after the changes before it,
    and before those that follow. walls: stand around what /proc says of a process.
    """

    def __init__(
        self, reader: RecordReader, sideband: Sideband, walls: Walls | None = None
    ) -> None:
        self._walls = walls or Walls()
        self._reader = reader
        self._sideband = sideband
        self._records: list[Records] = []
        self._events: list[Event] = []
        self._ends: Counter[int] = Counter()
        self._known_until_ns = 0
        self._bound = Bound()

    def known_until_ns(self) -> int:
        """The time up to which all that was reported has been handed out (CLOCK_MONOTONIC)."""
        return self._known_until_ns

    @property
    def descriptors(self) -> list[int]:
        """Readable when there is something to collect."""
        return [self._reader.fd, *self._sideband.descriptors]

    @property
    def is_empty(self) -> bool:
        """Whether no event waits for its time."""
        return not self._events

    def collect(self) -> None:
        """Empty the rings; call it once what they held before is taken."""
        self._bound.renew()
        self._collect()

    def _collect(self) -> None:
        """The samples' ring first, as changes are what samples depend on."""
        records = self._reader.drain(self._bound)
        self._records.append(records)
        self._add(records.deferred)
        self._add(records.unmapped)
        self._add(self._sideband.drain(self._bound))

    def relieve(self) -> None:
        """Empty the rings in the midst of other work, but gather no more than is bearable."""
        held = sum(len(records.data) for records in self._records)
        if held < MAX_HELD and len(self._events) < MAX_EVENTS:
            self._collect()

    def take_records(self) -> list[Records]:
        """What else came since the last call: stacks and notices."""
        taken, self._records = self._records, []
        return taken

    def take_until(self, time_ns: float) -> Iterator[Event]:
        """Events up to a time; those after it stay, as earlier ones may still come.

        What is reported as the end of a process is that of its first thread: it is left out where
        other threads run on, or one of them executed another program.
        """
        self._events.sort(key=attrgetter("time"))
        due = [event for event in self._events if event.time <= time_ns]
        del self._events[: len(due)]
        for event in due:
            if isinstance(event, Executed | Exited):
                self._ends[event.pid] -= 1
                if not self._ends[event.pid]:
                    del self._ends[event.pid]
            self._known_until_ns = event.time - 1  # if it is a change, it is still to be followed
            if not (isinstance(event, Exited) and self._is_running(event.pid)):
                yield event
            self._known_until_ns = event.time

    def _is_running(self, pid: int) -> bool:
        """Where that cannot be told it has ended: if it has not, it is read anew when sampled."""
        with self._walls.around(f"/proc/{pid}"):
            return process.is_running(pid)
        return False

    def is_ending(self, pid: int) -> bool:
        """Whether it is known that the process exits or executes another program after this."""
        return pid in self._ends

    def _add(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Exited):
                event = replace(event, time=event.time + LEAVING_NS)
            self._events.append(event)
            if isinstance(event, Executed | Exited):
                self._ends[event.pid] += 1
