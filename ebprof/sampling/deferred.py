"""Samples in code that was not known when they were taken: unwound once it is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from ebprof._native import lib
from ebprof.abi import STOP_REASONS
from ebprof.bpf.records import DeferredSample
from ebprof.sampling.jitted import JittedCode
from ebprof.sampling.stacks import NewStack, StackStore
from ebprof.sampling.tracker import Tracker
from ebprof.unwind.processes import ProcessStore
from ebprof.unwind.replay import Replayer, UnwoundStack

_UNKNOWN = (lib.STOP_NO_PROCESS, lib.STOP_NO_MAPPING)


class DeferredSamples:
    """Unwinds and counts deferred samples; each is counted, with its stop reason, exactly once."""

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
        self._stops: Counter[int] = Counter()

    def count(self, sample: DeferredSample, *, is_current: bool) -> NewStack:
        """Unwind a sample by what its process has mapped, and count it.

        is_current: the process has not exited or executed another program since, as far as is
        known; then /proc is asked about an address that nobody reported, and BPF programs learn
        what comes of it.
        """
        self._tracker.prepare(sample.pid, is_current=is_current)
        stack = self._unwind(sample, is_current)
        if stack.stop in _UNKNOWN and self._processes.restore(sample.pid):
            stack = self._unwind(sample, is_current)
        if is_current:
            if stack.stop in _UNKNOWN and not self._processes.is_settled(sample.pid):
                self._tracker.load(sample.pid)
                stack = self._unwind(sample, is_current)
            if stack.stop in _UNKNOWN:
                self._processes.settle(sample.pid)
            else:
                self._processes.missed(sample.pid, sample.time)
        self._stops[stack.stop] += 1
        return self._store.add_unwound(sample, stack)

    def stops(self) -> dict[str, int]:
        """Samples by stop reason."""
        return {reason.name: self._stops[i] for i, reason in enumerate(STOP_REASONS)}

    def _unwind(self, sample: DeferredSample, is_current: bool) -> UnwoundStack:
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
