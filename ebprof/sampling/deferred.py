"""Samples in code that was not known when they were taken: unwound once it is."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import numpy as np

from ebprof._native import lib
from ebprof.abi import PROCESS_ENTRY, STOP_REASONS
from ebprof.bpf.records import DeferredSample
from ebprof.bpf.sideband import Change, Lost, Mapped, Unmapped
from ebprof.sampling.generations import numbers_in
from ebprof.sampling.held import HeldSamples
from ebprof.sampling.jitted import JittedCode
from ebprof.sampling.stacks import NewStack, StackStore
from ebprof.sampling.tracker import Tracker
from ebprof.unwind.mappings import Gap
from ebprof.unwind.processes import ProcessStore
from ebprof.unwind.replay import Replayer, UnwoundStack

_UNKNOWN = (lib.STOP_NO_PROCESS, lib.STOP_NO_MAPPING)
_NOTHING = np.zeros(1, PROCESS_ENTRY)
"""An entry of a process of which nothing is known."""


class DeferredSamples:
    """Unwinds and counts deferred samples; each is counted, with its stop reason, exactly once.

    Those whose process has to be read first are held until all is known that happened between.
    """

    def __init__(
        self,
        replayer: Replayer,
        processes: ProcessStore,
        tracker: Tracker,
        store: StackStore,
        jitted: JittedCode | None = None,
    ) -> None:
        self._jitted = jitted
        self._replayer = replayer
        self._processes = processes
        self._tracker = tracker
        self._store = store
        self._held = HeldSamples()
        self._stops: Counter[int] = Counter()

    def count(self, sample: DeferredSample, *, is_current: bool) -> Iterator[NewStack]:
        """Unwind a sample by what its process has mapped, and count it; or hold it.

        is_current: the process has not exited or executed another program since, as far as is
        known; then /proc is asked about an address that nobody reported, and BPF programs learn
        what comes of it.
        """
        pid = sample.pid
        self._tracker.prepare(pid, is_current=is_current)
        if self._tracker.is_behind(pid):
            if not self._hold(sample, is_current):
                yield self._add_unknown(sample)
            return
        stack = self._unwind(sample, is_current)
        if stack.stop in _UNKNOWN and not self._processes.is_settled(pid):
            if is_current:
                self._tracker.read(pid)
            if self._hold(sample, is_current):
                return
        if is_current:
            self._conclude(sample, stack)
        yield self._add(sample, stack)

    def follow(self, change: Change) -> Iterator[NewStack]:
        """Take note of a change that is about to be followed; samples that can wait no longer are
        counted by what is known before it.
        """
        if isinstance(change, Lost):
            yield from self.give_up(set(self._held.pids()) - change.unharmed)
        elif isinstance(change, Mapped | Unmapped):
            if not self._held.note(change):
                yield from self.give_up([change.pid])
        else:
            yield from self.give_up([change.pid])

    def pass_time(self, time_ns: float) -> Iterator[NewStack]:
        """All changes up to a time were followed: count samples of processes read until then."""
        for pid in self._tracker.adopt(time_ns):
            for samples, gaps in self._held.take(pid):
                yield from self._count_held(samples, gaps)

    def waiting(self) -> list[int]:
        """Processes of which samples are held."""
        return self._held.pids()

    def give_up(self, pids: Iterable[int]) -> Iterator[NewStack]:
        """Count samples that are held by what is known: their process will not be read in time."""
        for pid in pids:
            if pid in self._held:
                self._tracker.prepare(pid, is_current=False)
            for samples, gaps in self._held.take(pid):
                if self._tracker.is_behind(pid):
                    yield from map(self._add_unknown, samples)
                else:
                    yield from self._count_without(samples, gaps)

    def stops(self) -> dict[str, int]:
        """Samples by stop reason."""
        return {reason.name: self._stops[i] for i, reason in enumerate(STOP_REASONS)}

    def _hold(self, sample: DeferredSample, is_current: bool) -> bool:
        """False when nothing is to be waited for, or there is no room."""
        tracker, pid = self._tracker, sample.pid
        is_worth_it = tracker.is_awaited(pid) if is_current else tracker.is_read(pid)
        return is_worth_it and self._held.add(sample)

    def _conclude(self, sample: DeferredSample, stack: UnwoundStack) -> None:
        """Tell BPF programs what came of a sample by the mappings in force."""
        if stack.stop in _UNKNOWN:
            self._processes.settle(sample.pid)
        else:
            self._processes.missed(sample.pid, sample.time)

    def _count_held(self, samples: list[DeferredSample], gaps: list[Gap]) -> Iterator[NewStack]:
        """Samples of one process that was read after them, and changed in the gaps meanwhile."""
        if gaps:
            yield from self._count_without(samples, gaps)
            return
        for one in samples:
            stack = self._unwind(one, is_current=True)
            self._conclude(one, stack)
            yield self._add(one, stack)

    def _count_without(self, samples: list[DeferredSample], gaps: list[Gap]) -> Iterator[NewStack]:
        """Samples of one process, of whose mappings those in the gaps are not known."""
        waiting = deque(samples)
        while waiting:
            with self._processes.entry_without(waiting[0].pid, gaps) as entry:
                while waiting:
                    stack = self._replayer.replay(entry, waiting[0].record)
                    if self._has_new_table(stack):
                        break
                    yield self._add(waiting.popleft(), stack)

    def _has_new_table(self, stack: UnwoundStack) -> bool:
        """Whether it was for want of a table that unwinding stopped, which there is by now."""
        return stack.stop in _UNKNOWN and self._processes.restore(numbers_in([stack.frames[-1:]]))

    def _add_unknown(self, sample: DeferredSample) -> NewStack:
        """A sample of a process of whose mappings nothing is known."""
        return self._add(sample, self._replayer.replay(_NOTHING, sample.record))

    def _add(self, sample: DeferredSample, stack: UnwoundStack) -> NewStack:
        self._stops[stack.stop] += 1
        return self._store.add_unwound(sample, stack)

    def _unwind(self, sample: DeferredSample, is_current: bool) -> UnwoundStack:
        """By what is known of its process, and with tables that it meets compiled."""
        stack = self._replay(sample, is_current)
        while self._has_new_table(stack):
            stack = self._replay(sample, is_current)
        return stack

    def _replay(self, sample: DeferredSample, is_current: bool) -> UnwoundStack:
        """Code is read from the process where the stack depends on it, if that still has it."""
        entry = self._processes.entry(sample.pid)
        stack = self._replayer.replay(entry, sample.record)
        if is_current and stack.wants_code:
            with suppress(OSError), _memory(sample.pid) as memory:
                replay = partial(self._replayer.replay, entry, sample.record, memory)
                return self._jitted.unwind(sample.pid, memory, replay) if self._jitted else replay()
        return stack


@contextmanager
def _memory(pid: int) -> Iterator[int]:
    """A descriptor of a process's memory."""
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield memory
    finally:
        os.close(memory)
