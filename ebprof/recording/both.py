"""Samples and traffic of the same time: what both count, in windows of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from ebprof.errors import UnsupportedError
from ebprof.model import FlowRow
from ebprof.recording.recorder import Recorder
from ebprof.traffic.filter import FlowFilter
from ebprof.traffic.monitor import Monitor

TICK_S = 0.25
"""Windows of flows end at ticks."""


class Both:
    """A recorder and a monitor of traffic as one that `watch.Watch` ticks.

    add: is called with the flows of each window, at `mark`. traffic: None where none is counted.
    """

    def __init__(
        self,
        recorder: Recorder,
        traffic: Monitor | None,
        add: Callable[[Iterable[FlowRow]], None],
    ) -> None:
        self._recorder = recorder
        self._traffic = traffic
        self._add = add

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to sample."""
        return self._recorder.is_over

    @property
    def tick_s(self) -> float:
        """Seconds between ticks at most."""
        return min(self._recorder.tick_s, TICK_S)

    @property
    def watched(self) -> Sequence[tuple[int, int]]:
        """Descriptors to poll, with events."""
        return self._recorder.watched

    def begin(self) -> None:
        """Begin to sample; traffic is counted since its `with`."""
        self._recorder.begin()
        if self._traffic:
            self._traffic.tick()
            self._traffic.mark()

    def tick(self) -> None:
        """Take in what there is."""
        self._recorder.tick()
        if self._traffic:
            self._traffic.tick()

    def mark(self) -> None:
        """A window has ended."""
        if self._traffic:
            self._add(self._traffic.rows(("flow",), active=True).rows)
            self._traffic.mark()

    def stop(self) -> None:
        """Count no more."""
        self._recorder.stop()


@contextmanager
def open_traffic(say: Callable[[str], None]) -> Iterator[Monitor | None]:
    """Count the traffic of this machine; None, and a line for people, where nothing can."""
    try:
        monitor = Monitor.open(None, FlowFilter())
    except UnsupportedError as error:
        say(f"warning: no flows: {error.message}")
        yield None
        return
    with monitor:
        yield monitor
