"""Windows of a run: what was counted between two times, named in the background, in their order."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from ebprof.model import Samples, no_samples
from ebprof.sampling.counts import WindowCounts
from ebprof.sampling.naming import Namer
from ebprof.sampling.resolve import Resolver
from ebprof.sampling.retention import Retention
from ebprof.sampling.stacks import StackStore
from ebprof.walls import Walls

_LOOK_S = 0.5
"""Whoever waits for a name looks this often whether anybody still looks it up."""


@dataclass(frozen=True, slots=True)
class Window:
    """Samples counted between two times (time.monotonic()), with names.

    slice_ns: length of the slices of time that samples are kept apart by; 0: they are not.
    """

    samples: Samples
    start: float
    end: float
    slice_ns: int = 0


class Windows:
    """Names windows in the resolver's thread. lost: samples of which no names could be made.

    begun: when the window began that goes on. retention: decides what is forgotten after each.
    """

    def __init__(
        self,
        stacks: StackStore,
        resolver: Resolver,
        namer: Namer,
        retention: Retention,
        walls: Walls,
    ) -> None:
        self.begun = time.monotonic()
        self._stacks = stacks
        self._retention = retention
        self._resolver = resolver
        self._namer = namer
        self._walls = walls
        self._named: queue.SimpleQueue[Window] = queue.SimpleQueue()
        self._waiting = 0
        self.lost = 0

    @property
    def is_waiting(self) -> bool:
        """Whether windows were cut that nobody has taken yet."""
        return self._waiting > 0

    def cut(self, end: float, ended: frozenset[int]) -> None:
        """Let another window begin, and have this one named once all frames that came before are
        looked up. ended: processes that are gone, and in no later window.
        """
        self._waiting += 1
        self._resolver.then(partial(self._name, self._stacks.take_counts(), self.begun, end))
        self._retention.end_window(ended)
        self.begun = end

    def ready(self, wait_s: float = 0.0) -> list[Window]:
        """Windows that are named; waits for the first one if need be."""
        found: list[Window] = []
        try:
            while self._waiting:
                wait = 0.0 if found else wait_s
                found.append(self._named.get(timeout=wait) if wait else self._named.get_nowait())
                self._waiting -= 1
        except queue.Empty:
            pass
        return found

    def rest(self) -> Iterator[Window]:
        """All windows that were cut; waits for them."""
        while self._waiting:
            yield from self.ready(_LOOK_S)
            if self._waiting and not self._resolver.is_alive:
                raise RuntimeError("the thread that looks names up has ended")

    def _name(self, counts: WindowCounts, start: float, end: float) -> None:
        samples = None
        with self._walls.around("names of samples"):
            samples = self._namer.samples(counts)
        if samples is None:
            self.lost += counts.total
            samples = no_samples()
        self._named.put(Window(samples, start, end, counts.slice_ns))
