"""A run as a table of the hottest functions: what comes in is added up as it is named."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ebprof._native import lib
from ebprof.abi import COMPLETE, STOP_REASONS
from ebprof.sampling.accounts import Figures
from ebprof.sampling.windows import Window
from ebprof.symbolize.nameless import NameGaps
from ebprof.top.kept import KeptSamples
from ebprof.top.stacks import Stacks
from ebprof.top.table import WINDOW_S, HotTable

TAKE_S = 1.0
_EARLY_S = 0.05
_WAIT_S = 0.05
_NO_USER_STACK = frozenset(
    STOP_REASONS[number].name for number in (lib.STOP_NO_USER, lib.STOP_NOT_ASKED)
)
_NOTHING = Figures(0, 0, 0, {}, 0.0)


class Accounts(Protocol):
    """What is needed of a run's accounts."""

    def figures(self) -> Figures: ...


class Run(Protocol):
    """What is needed of a SamplingRun."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def fd(self) -> int: ...
    @property
    def tend_s(self) -> float: ...
    @property
    def is_waiting(self) -> bool: ...

    def start(self) -> float: ...
    def tend(self) -> object: ...
    def take(self) -> None: ...
    def named(self, wait_s: float = 0.0) -> list[Window]: ...
    def stop(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Status:
    """How a run stands. The figures are since the start, or since the last `mark`.

    complete_share: of user stacks; None without any. stops: user stacks that are not complete, by
    reason. own_share, kernel_share: of a core, over the last seconds, ebprof's own process and its
    BPF program. is_waiting: for names.
    """

    elapsed_s: float
    samples: int
    complete_share: float | None
    lost: int
    stops: dict[str, int]
    own_share: float
    kernel_share: float
    is_waiting: bool


class TopMonitor:
    """Ticks a run, and adds what it brings to a table.

    is_kept: samples stay in the table, and are kept themselves; else each `mark` begins a new one.
    own: ebprof's own processes, whose samples are counted apart. gaps: what has no names, since
    the start.
    """

    def __init__(
        self,
        run: Run,
        stacks: Stacks | None = None,
        own: Callable[[], Iterable[int]] = tuple,
        *,
        is_kept: bool,
    ) -> None:
        self.run = run
        self._own = own
        self._own_pids: set[int] = set()
        self.table = HotTable(stacks)
        self.gaps = NameGaps()
        self.kept = KeptSamples() if is_kept else None
        self._is_kept = is_kept
        self._start = self._taken = time.monotonic()
        self._base = _NOTHING
        self._costs: deque[tuple[float, float, float]] = deque(maxlen=WINDOW_S + 1)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to sample."""
        return self.run.is_over

    @property
    def tick_s(self) -> float:
        """Seconds between ticks at most."""
        return self.run.tend_s

    @property
    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, with events: when one is ready, there is something to tick for."""
        return [(self.run.fd, select.POLLIN)]

    def begin(self) -> None:
        """Begin to sample."""
        self.run.start()
        self._start = self._taken = time.monotonic()
        self._note_cost()

    def tick(self) -> None:
        """Take in what there is, and once a second have it named."""
        self.run.tend()
        self._add(0.0)
        if time.monotonic() - self._taken >= TAKE_S - _EARLY_S:
            self._take()

    def catch_up(self, wait_s: float) -> None:
        """Add all that was sampled until now, if it is named within so many seconds."""
        self._take()
        deadline = time.monotonic() + wait_s
        while self.run.is_waiting and (left := deadline - time.monotonic()) > 0:
            self._add(min(left, _WAIT_S))
            if self.run.is_waiting:
                self.run.tend()

    def mark(self) -> None:
        """Let a new interval begin."""
        if not self._is_kept:
            self.table.clear()
            self._base = self.run.accounts.figures()

    def stop(self) -> None:
        """Sampling ends."""
        self.run.stop()

    def status(self) -> Status:
        """How the run stands, since the last `mark` that began a new table."""
        return self._status(self._base)

    def run_status(self) -> Status:
        """The same, since the start."""
        return self._status(_NOTHING)

    def _status(self, base: Figures) -> Status:
        figures = self.run.accounts.figures()
        stops = {name: n - base.stops.get(name, 0) for name, n in figures.stops.items()}
        complete = stops.pop(COMPLETE, 0)
        broken = {name: n for name, n in stops.items() if n and name not in _NO_USER_STACK}
        with_user = complete + sum(broken.values())
        own_share, kernel_share = self._shares(figures.kernel_seconds)
        return Status(
            elapsed_s=time.monotonic() - self._start,
            samples=figures.samples - base.samples,
            complete_share=complete / with_user if with_user else None,
            lost=figures.lost - base.lost,
            stops=dict(sorted(broken.items(), key=lambda item: -item[1])),
            own_share=own_share,
            kernel_share=kernel_share,
            is_waiting=self.run.is_waiting,
        )

    def _take(self) -> None:
        self._own_pids.update(self._own())
        self.run.take()
        self._taken = time.monotonic()
        self._note_cost()

    def _add(self, wait_s: float) -> None:
        for one in self.run.named(wait_s):
            is_own = np.isin(one.samples.rows["pid"], list(self._own_pids))
            others = one.samples.take(~is_own)
            apart = one.samples.total - others.total
            self.table.add(others, one.end - one.start, apart)
            self.gaps.add(others)
            if self.kept is not None:
                self.kept.add(others, one.end - one.start)

    def hold(self, hold: bool) -> None:
        """Let all that is shown stay as it is (True), or go on with what came meanwhile."""
        self.table.hold(hold)
        if self.kept is not None:
            self.kept.hold(hold)

    def _note_cost(self) -> None:
        kernel_seconds = self.run.accounts.figures().kernel_seconds
        self._costs.append((time.monotonic(), time.process_time(), kernel_seconds))

    def _shares(self, kernel_seconds: float) -> tuple[float, float]:
        if not self._costs:
            return 0.0, 0.0
        now, own, kernel = self._costs[0]
        elapsed = max(time.monotonic() - now, 1e-3)
        return (time.process_time() - own) / elapsed, (kernel_seconds - kernel) / elapsed
