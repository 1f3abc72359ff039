"""A run as windows that begin and end at times of the clock."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ebprof.agent.packer import Closed
from ebprof.sampling.accounts import Figures
from ebprof.sampling.source import Sampled
from ebprof.sampling.windows import Window

_FIGURES_S = 0.9
"""Ticks come a second apart at most: at each of those."""
_REST_S = 0.25
"""After each tick: what comes meanwhile is handled together, for less."""
_PATIENCE, _MORE_PATIENCE = 2, 4
"""An agent may leave its run alone for longer than those who wait for what it finds, and longer
still where a tick found that no process had changed: new stacks of old processes can wait.
"""


class Accounts(Protocol):
    """What is needed of a run's accounts."""

    def figures(self) -> Figures: ...
    def losses(self) -> dict[str, int]: ...


class Run(Protocol):
    """What is needed of a SamplingRun."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def sampled(self) -> Sampled: ...
    @property
    def fd(self) -> int: ...
    @property
    def tend_s(self) -> float: ...

    def start(self) -> float: ...
    def tend(self) -> bool: ...
    def take(self) -> None: ...
    def set_frequency(self, frequency: int) -> None: ...
    def renew_labels(self) -> None: ...
    def named(self, wait_s: float = 0.0) -> list[Window]: ...
    def stop(self) -> float: ...
    def finish(self) -> Iterator[Window]: ...


class Companion(Protocol):
    """What counts beside a run, in its windows. end_window: from when to when, in nanoseconds since
    the epoch.
    """

    def begin(self) -> None: ...
    def tick(self) -> None: ...
    def end_window(self, start_ns: int, end_ns: int) -> None: ...


@dataclass(slots=True)
class _Span:
    """Nanoseconds since the epoch; until when (time.monotonic()); how it was sampled; what was lost
    meanwhile, which goes with the first window.
    """

    start_ns: int
    end_ns: int
    until: float
    sampled: Sampled
    losses: dict[str, int]


class AgentMonitor:
    """Ticks a run, and hands on each window, once it has names.

    A window ends when the clock is at a multiple of the interval; the first one is shorter. Times
    of windows are those of the clock, so that windows of all nodes begin together. Windows that the
    run itself ends are parts of these, with the same times. If the clock was set meanwhile, a
    window ends at the clock's new time and is as long as it really lasted.

    figures: of the run, as they were two seconds ago at most. ticked: time.monotonic(). sleep:
    for so many seconds.
    """

    is_over = False

    def __init__(
        self,
        run: Run,
        interval_s: float,
        hand_on: Callable[[Closed], None],
        clock: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        on_tick: Callable[[], None] = lambda: None,
        companion: Companion | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._run = run
        self._sleep = sleep
        self._on_tick = on_tick
        self._companion = companion
        self._frequency: int | None = None
        self._interval_ns = round(interval_s * 1e9)
        self._hand_on = hand_on
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._begun_ns = monotonic_ns()
        self._start_ns = self._due_ns = 0
        self._patience = _PATIENCE
        self._spans: deque[_Span] = deque()
        self._losses: dict[str, int] = {}
        self.figures = Figures(0, 0, 0, {}, 0.0)
        self.ticked = time.monotonic()

    @property
    def tick_s(self) -> float:
        """Seconds between ticks at most."""
        return min(self._patience * self._run.tend_s, self._left_s())

    @property
    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, with events: when one is ready, there is something to tick for."""
        return [(self._run.fd, select.POLLIN)]

    def set_frequency(self, frequency: int) -> None:
        """Sample at so many Hz from the next window on."""
        self._frequency = frequency

    def begin(self) -> None:
        """Begin to sample."""
        self._run.start()
        if self._companion is not None:
            self._companion.begin()
        self._begin_window(self._clock())

    def tick(self) -> None:
        """Take in what there is, and at its time end the window."""
        self._patience = _PATIENCE if self._run.tend() else _MORE_PATIENCE
        if self._companion is not None:
            self._companion.tick()
        self._hand_on_named(self._run.named())
        now = self._clock()
        if now >= self._due_ns or self._due_ns - now > self._interval_ns:  # it was set back
            self._run.take()
            self._end_window(self._boundary(now))
            self._renew_frequency()
        self._look()
        self._on_tick()
        self._sleep(min(_REST_S, self._left_s()))

    def mark(self) -> None:
        """Windows go by the clock."""

    def stop(self) -> None:
        """Sampling ends."""
        self._run.stop()

    def finish(self) -> None:
        """Hand on all that was sampled, after `stop`; waits for names."""
        windows = self._run.finish()
        self._end_window(self._clock())
        self._hand_on_named(windows)
        self.figures = self._run.accounts.figures()

    def _begin_window(self, now: int) -> None:
        self._start_ns = now
        self._begun_ns = self._monotonic_ns()
        self._due_ns = (now // self._interval_ns + 1) * self._interval_ns

    def _left_s(self) -> float:
        return max(0.0, (self._due_ns - self._clock()) / 1e9)

    def _boundary(self, now: int) -> int:
        return now - now % self._interval_ns

    def _end_window(self, end: int) -> None:
        losses = self._run.accounts.losses()
        new = {name: n - self._losses.get(name, 0) for name, n in losses.items()}
        self._losses = losses
        start = self._start_of(end)
        end = max(end, start)
        sampled = self._run.sampled
        self._spans.append(_Span(start, end, time.monotonic(), sampled, new))
        if self._companion is not None:
            self._companion.end_window(start, end)
        self._begin_window(end)

    def _start_of(self, end: int) -> int:
        """When the window that ends at `end` began, by the clock as it is now."""
        lasted = self._monotonic_ns() - self._begun_ns
        was_set = abs(end - self._start_ns - lasted) > self._interval_ns
        return end - lasted if was_set else self._start_ns

    def _hand_on_named(self, windows: Iterable[Window]) -> None:
        for window in windows:
            span = self._span_of(window)
            duration_ns = span.end_ns - span.start_ns
            profile = span.sampled.profile(window.samples, span.start_ns, duration_ns)
            losses, span.losses = span.losses, {}
            self._hand_on(Closed(profile, losses))

    def _span_of(self, window: Window) -> _Span:
        """The span that a window ended in: windows are in the order of time."""
        while self._spans and self._spans[0].until < window.end:
            self._spans.popleft()
        if self._spans:
            return self._spans[0]
        # It is not over yet.
        return _Span(self._start_ns, self._due_ns, window.end, self._run.sampled, {})

    def _renew_frequency(self) -> None:
        if self._frequency is not None:
            self._run.set_frequency(self._frequency)
            self._frequency = None

    def _look(self) -> None:
        now = time.monotonic()
        if now >= self.ticked + _FIGURES_S:
            self.figures = self._run.accounts.figures()
            self.ticked = now


class Silence:
    """A report that says nothing but that it begins: what an agent finds goes to the collector."""

    is_over = is_waiting = False
    watched = ()

    def __init__(self, on_begin: Callable[[], None]) -> None:
        self._on_begin = on_begin

    def begin(self) -> None:
        """Sampling has begun."""
        self._on_begin()

    def react(self) -> None:
        """There is nothing to react to."""

    def show(self) -> None:
        """Show nothing."""

    def finish(self) -> None:
        """Leave nothing."""
