"""Traffic beside the run, in windows of its: drained once a second, named, handed on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from ebprof._native import lib
from ebprof.abi import TRAFFIC_COUNTERS
from ebprof.agent.flows import FlowSums, Span, windows
from ebprof.agent.identities import Identities
from ebprof.agent.moved import Moved
from ebprof.agent.owners import Owners
from ebprof.bpf.traffic import FlowBatch
from ebprof.errors import UnsupportedError
from ebprof.traffic import backends
from ebprof.walls import Walls
from ebprof.wire.flows import COUNTS, FlowWindow

DRAIN_S = 0.9
"""A little less than a second, so that ticks that are a second apart all drain."""
WITHOUT_CALLS = "without_calls"
"""A loss, of windows: in one of them calls were not counted all the time."""
_LOSSES = tuple(counter.name for counter in TRAFFIC_COUNTERS if counter.is_loss)


class Session(Protocol):
    """What is needed of a TrafficSession."""

    def start(self) -> None: ...
    def drain(self) -> FlowBatch: ...
    def counters(self) -> dict[str, int]: ...
    def overhead(self) -> tuple[int, float]: ...
    @property
    def counts_calls(self) -> bool: ...
    @property
    def can_unhook_calls(self) -> bool: ...
    def hook_calls(self) -> None: ...
    def unhook_calls(self) -> None: ...


@dataclass(frozen=True, slots=True)
class TrafficFigures:
    """Since the start. counts: by name of COUNTS, of all flows; counters: of TRAFFIC_COUNTERS.

    unread: processes of which only the name is known. moved: bytes by service and way.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    counters: dict[str, int] = field(default_factory=dict)
    unread: int = 0
    moved: dict[tuple[str, ...], float] = field(default_factory=dict)


class TrafficMonitor:
    """Counts from `begin` on; the caller ticks it, and ends its windows.

    hand_on: is called with each window that has something. figures: as they were when the last
    window ended. kernel_seconds: in programs, as of the last drain. Other threads may read both.
    """

    def __init__(
        self,
        session: Session,
        identities: Identities,
        node: str,
        walls: Walls,
        hand_on: Callable[[FlowWindow], None],
        *,
        in_host: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._node = node
        self._hand_on = hand_on
        self._clock = clock
        self._owners = Owners(identities, walls, in_host=in_host)
        self._sums = FlowSums()
        self._moved = Moved()
        self._drained = clock()
        self._was_unhooked = False
        self.figures = TrafficFigures()
        self.kernel_seconds = 0.0

    def begin(self) -> None:
        """Begin to count."""
        self._session.start()
        self._was_unhooked = not self.counts_calls
        self._drained = self._clock()

    def tick(self) -> None:
        """Take what was counted, about once a second."""
        if self._clock() >= self._drained + DRAIN_S:
            self._drain()

    def end_window(self, start_ns: int, end_ns: int) -> None:
        """Hand on what was counted since the last window; times since the epoch."""
        self._drain()
        sums, self._sums = self._sums, FlowSums()
        before, self.figures = self.figures, self._figures(sums)
        losses = {
            name: lost
            for name in _LOSSES
            if (lost := self.figures.counters.get(name, 0) - before.counters.get(name, 0))
        }
        if self._was_unhooked and sums.counts.any():
            losses[WITHOUT_CALLS] = 1
        self._was_unhooked = not self.counts_calls
        span = Span(self._node, start_ns, end_ns)
        for window in windows(sums, self._owners.of, span, losses):
            self._moved.add(window)
            self._hand_on(window)
        self.figures = replace(self.figures, moved=self._moved.sums())
        self._owners.end_window()

    def renew(self) -> None:
        """Name services anew."""
        self._owners.renew()

    @property
    def counts_calls(self) -> bool:
        """Whether calls are counted, and bytes not only at each drain."""
        return self._session.counts_calls

    @property
    def can_unhook_calls(self) -> bool:
        """Whether that can be chosen."""
        return self._session.can_unhook_calls

    def hook_calls(self) -> None:
        """Count calls. Raises UnsupportedError."""
        self._session.hook_calls()

    def unhook_calls(self) -> None:
        """Count them no more; windows say so."""
        self._session.unhook_calls()
        self._was_unhooked = True

    def _drain(self) -> None:
        batch = self._session.drain()
        self._drained = self._clock()
        _, self.kernel_seconds = self._session.overhead()
        self._owners.see(batch)
        self._sums.add(batch)

    def _figures(self, sums: FlowSums) -> TrafficFigures:
        new = (sums.counts.sum(axis=0) + sums.other).tolist()
        counts = {
            name: self.figures.counts[name] + count for name, count in zip(COUNTS, new, strict=True)
        }
        counters, unread = self._session.counters(), self._owners.unread
        return replace(self.figures, counts=counts, counters=counters, unread=unread)


@contextmanager
def open_session(say: Callable[[str], None]) -> Iterator[Session | None]:
    """A session on the best backend of this kernel; None, and a line for people, where none works.

    Raises NoPermissionError.
    """
    try:
        _, session = backends.open_session(pairing=lib.PAIRING_APART)
    except UnsupportedError as error:
        say(f"warning: no flows: {error.message}")
        yield None
        return
    with session:
        yield session
