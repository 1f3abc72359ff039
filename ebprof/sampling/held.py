"""Deferred samples that wait until their process was read, and what it mapped meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ebprof.bpf.records import DeferredSample
from ebprof.bpf.sideband import Mapped, Unmapped
from ebprof.unwind.mappings import Gap

MOST_BYTES = 64 << 20
"""Of samples that wait, of all processes together."""
MOST_CHANGES = 1024
"""Of a process, while samples of it wait."""
MOST_GROUPS = 32
"""Of samples of a process that are told apart by what it mapped after each."""

_HEAD = 512
"""Bytes that a sample takes besides its record."""


@dataclass(slots=True)
class _Process:
    """Samples and changes as they came; how many changes there are."""

    events: list[DeferredSample | Gap] = field(default_factory=list)
    changes: int = 0


class HeldSamples:
    """Samples by process, in the order of time, and changes of what it has mapped between them.

    What a process has mapped when it is read was there when a sample was taken, unless it changed
    in between: so a sample has gaps, addresses of which its process's mappings say nothing.
    """

    def __init__(self) -> None:
        self._processes: dict[int, _Process] = {}
        self._bytes = 0

    def __contains__(self, pid: int) -> bool:
        return pid in self._processes

    def pids(self) -> list[int]:
        """Processes of which samples wait."""
        return list(self._processes)

    def add(self, sample: DeferredSample) -> bool:
        """Let a sample wait; False where there is no room."""
        size = len(sample.record) + _HEAD
        if self._bytes + size > MOST_BYTES:
            return False
        self._bytes += size
        own = replace(sample, head=sample.head.copy(), record=memoryview(bytes(sample.record)))
        self._processes.setdefault(sample.pid, _Process()).events.append(own)
        return True

    def note(self, change: Mapped | Unmapped) -> bool:
        """Take note of what a process does while samples of it wait; False if that was too much."""
        process = self._processes.get(change.pid)
        if process is None:
            return True
        process.changes += 1
        process.events.append(Gap(change.start, change.start + change.size))
        return process.changes < MOST_CHANGES

    def take(self, pid: int) -> Iterator[tuple[list[DeferredSample], list[Gap]]]:
        """Samples of a process that wait no longer, the youngest first, those with the same gaps
        together; with too many kinds of gaps, the oldest have those of the very oldest.
        """
        process = self._processes.pop(pid, _Process())
        samples: list[DeferredSample] = []
        gaps: list[Gap] = []
        groups = 0
        for event in reversed(process.events):
            if isinstance(event, DeferredSample):
                self._bytes -= len(event.record) + _HEAD
                samples.append(event)
                continue
            if samples and groups < MOST_GROUPS:
                yield samples, gaps
                samples, gaps = [], list(gaps)
                groups += 1
            gaps.append(event)
        if samples:
            yield samples, gaps
