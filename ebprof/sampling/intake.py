"""Takes in what BPF programs and perf's side band report, and keeps what programs know true."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import inf
from typing import Any, Protocol

from numpy.typing import NDArray

from ebprof.bpf.records import DeferredSample
from ebprof.bpf.sideband import Change, Executed, Exited, Forked, Lost
from ebprof.identity.sightings import Sightings
from ebprof.procfs import process
from ebprof.sampling.code import Code
from ebprof.sampling.deferred import DeferredSamples
from ebprof.sampling.generations import numbers_in
from ebprof.sampling.resolve import Resolver
from ebprof.sampling.stacks import NewStack, StackStore
from ebprof.sampling.timeline import Event, Timeline
from ebprof.sampling.windows import Windows
from ebprof.unwind.upkeep import Upkeep


class CountMaps(Protocol):
    """The two maps of counts. capacity: of one, in keys."""

    capacity: int

    def take_counts(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """What one of them has, SAMPLE_KEY[n] and uint64[n]; programs write to the other now."""


class Intake:
    """Drains the rings in the order of time: into stacks, counts, and what is known of processes.

    New frames are handed to the resolver at once, while their process is alive.
    """

    def __init__(
        self,
        maps: CountMaps,
        timeline: Timeline,
        code: Code,
        stacks: StackStore,
        resolver: Resolver,
        sightings: Sightings,
        windows: Windows,
    ) -> None:
        self._maps = maps
        self._timeline = timeline
        self._code = code
        self._stacks = stacks
        self._resolver = resolver
        self._sightings = sightings
        self._windows = windows
        self._pending_keys = 0
        self._ended: set[int] = set()
        self._deferred = DeferredSamples(
            code.replayer, code.processes, code.tracker, stacks, code.jitted
        )
        self._upkeep = Upkeep(
            code.room,
            code.objects,
            code.processes,
            used=self._count_objects,
            is_named=self._is_named,
            known=self._known_processes,
            alive=process.all_processes,
            forget=self._forget,
            drop=resolver.drop,
            release=resolver.release,
        )

    @property
    def evicted(self) -> int:
        """Tables in use that made room for others."""
        return self._upkeep.evicted

    def stops(self) -> dict[str, int]:
        """Samples that were unwound here, by stop reason."""
        return self._deferred.stops()

    def drain(self, until_ns: float = inf) -> None:
        """Take in what the rings hold; changes and deferred samples up to a time only."""
        self._timeline.collect()
        new = [one for event in self._timeline.take_until(until_ns) for one in self._take(event)]
        new += self._deferred.pass_time(until_ns)
        self._code.tracker.refresh()
        self._submit(new)
        if self._pending_keys > self._maps.capacity // 2:
            self.count()
        self._upkeep.tend()

    def count(self) -> None:
        """Take the counts of one of the two maps."""
        self._stacks.count(*self._maps.take_counts())
        self._pending_keys = 0

    def take(self, until_ns: float) -> None:
        """Let a window end now.

        The stack of each count was sent before it was counted: so counts are read first.
        """
        self.count()
        end = time.monotonic()
        self.drain(until_ns)
        self._cut(end)

    def finish(self) -> None:
        """Let the last window end, with all that there is; sampling has ended."""
        end = time.monotonic()
        self.drain()
        self._code.tracker.read_now(self._deferred.waiting())
        self.drain()
        self._submit([*self._deferred.give_up(self._deferred.waiting())])
        for _ in range(2):
            self.count()
        self._cut(end)

    def _take(self, event: Event) -> Iterator[NewStack]:
        """Count a deferred sample, or follow a change: the tracker stands where it happened."""
        yield from self._deferred.pass_time(event.time)
        if isinstance(event, DeferredSample):
            is_current = not self._timeline.is_ending(event.pid)
            yield from self._deferred.count(event, is_current=is_current)
            return
        if isinstance(event, Lost):
            unharmed = self._code.processes.unchanged_since(event.since)
            event = replace(event, unharmed=unharmed)
        yield from self._deferred.follow(event)
        if isinstance(event, Forked) and event.pid in self._ended:
            self._cut_here()
        self._code.tracker.follow(event)
        self._follow_process(event)
        if isinstance(event, Exited):
            self._end_process(event.pid)

    def _follow_process(self, event: Change) -> None:
        if isinstance(event, Forked):
            self._sightings.forked(event.pid, event.parent)
        elif isinstance(event, Executed | Exited):
            self._sightings.changed(event.pid)

    def _submit(self, unwound: list[NewStack]) -> None:
        """Have the frames of new stacks looked up: of those that were unwound here, and others."""
        new = unwound + self._take_records()
        self._resolver.submit(new)
        self._code.objects.use(numbers_in(frames for _, frames, _ in new))

    def _take_records(self) -> list[NewStack]:
        """Stacks that are new, of the records that came since the last call."""
        new: list[NewStack] = []
        for records in self._timeline.take_records():
            self._code.tracker.notice(records.notices)
            new += self._stacks.add(records)
            self._pending_keys += len(records.stacks)
        self._sightings.see(self._stacks.take_met())
        return new

    def _cut_here(self) -> None:
        """End a window where a process's number is used again, whose addresses have names by the
        process that had it before.
        """
        self.count()
        end = time.monotonic()
        self._timeline.collect()
        self._resolver.submit(self._take_records())
        self._cut(end)

    def _cut(self, end: float) -> None:
        ended, self._ended = frozenset(self._ended), set()
        self._windows.cut(end, ended)

    def _end_process(self, pid: int) -> None:
        if self._code.jitted:
            self._code.jitted.forget(pid)
        outside = self._stacks.take_outside(pid)
        if outside:
            self._ended.add(pid)
            self._resolver.end_process(pid, outside)

    def _forget(self, pids: Iterable[int]) -> None:
        """Processes are gone whose end nobody reported."""
        gone = list(pids)
        self._code.tracker.forget(gone)
        for pid in gone:
            self._end_process(pid)

    def _is_named(self, number: int) -> bool:
        return self._stacks.names_object(number) or self._resolver.is_closing(number)

    def _known_processes(self) -> set[int]:
        return self._code.processes.all_pids() | self._code.tracker.pids()

    def _count_objects(self) -> set[int]:
        """Objects that samples met lately."""
        self.count()
        return self._stacks.counted_objects()
