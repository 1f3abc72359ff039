"""A run that has samples without any kernel, and tables of what it brings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from ebprof.bpf.events import Rate
from ebprof.errors import NoTargetError
from ebprof.model import Sample, Samples, samples_of
from ebprof.sampling.accounts import Figures
from ebprof.sampling.source import Sampled
from ebprof.sampling.windows import Window
from ebprof.top.stacks import Stacks
from ebprof.top.table import HotTable
from tests.builders import stack

CLOCK = Sampled("fake-clock", Rate(99, 0), "nanoseconds", 10_101_010)


def stacks(**comms: str) -> Stacks:
    """Numbers for what samples name; comms: of processes that are alive, as p123="name"."""

    def comm_of(pid: int) -> str:
        if f"p{pid}" not in comms:
            raise NoTargetError(f"no such process: {pid}")
        return comms[f"p{pid}"]

    return Stacks(comm_of)


def table(*samples: Sample | str, seconds: float = 1.0) -> HotTable:
    """A table of samples of one second."""
    made = HotTable(stacks())
    made.add(taken(*samples), seconds)
    return made


def taken(*samples: Sample | str) -> Samples:
    """Samples, or their texts, in columns."""
    return samples_of([stack(one) if isinstance(one, str) else one for one in samples])


class FakeRecording:
    """A run that brings a window of the same samples at each take, and its own accounts.

    lag: so many windows are not named yet; on_tend: called each time.
    """

    tend_s = 0.01
    sampled = CLOCK
    is_one_process = True

    def __init__(
        self, *samples: Sample | str, on_tend: Callable[[], None] = lambda: None, lag: int = 0
    ) -> None:
        self.samples: Iterable[Sample | str] = samples
        self.on_tend = on_tend
        self.lag = lag
        self.is_over = self.is_started = self.is_stopped = False
        self.accounts = self
        self.takes = self.tends = 0
        self.warnings: tuple[str, ...] = ()
        self.exit_code = 0
        self.lost = 0
        self.others: dict[str, int] = {}
        self.stops = {"complete": 9, "no_row": 1}
        self.fd, self._other_end = os.pipe()
        self._waiting: list[Window] = []
        self._count = 0

    def __enter__(self) -> FakeRecording:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._other_end)

    @property
    def is_waiting(self) -> bool:
        return bool(self._waiting)

    def start(self) -> float:
        self.is_started = True
        return 0.0

    def stop(self) -> float:
        self.is_stopped = True
        return 0.0

    def tend(self) -> None:
        self.tends += 1
        self.on_tend()

    def take(self) -> None:
        self._waiting.append(Window(taken(*self.samples), float(self.takes), self.takes + 1.0))
        self._count += taken(*self.samples).total
        self.takes += 1

    def named(self, wait_s: float = 0.0) -> list[Window]:
        ready = max(0, len(self._waiting) - self.lag)
        found, self._waiting = self._waiting[:ready], self._waiting[ready:]
        return found

    def counters(self) -> dict[str, int]:
        return self.others

    def figures(self) -> Figures:
        return Figures(self._count, self._count, self.lost, dict(self.stops), 0.5)
