"""A recording whose samples are taken while it runs, by a caller that has a loop of its own."""

from __future__ import annotations

import queue
import select
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from ebprof.abi import COUNTERS
from ebprof.bpf.events import Rate
from ebprof.model import Sample
from ebprof.recording.recorder import (
    BATCH_S,
    PENDING_S,
    SETTLE_NS,
    TICK_S,
    Recorder,
)
from ebprof.sampling.counts import Rows
from ebprof.sampling.naming import Namer
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.target import Target, exit_descriptors


@dataclass(frozen=True, slots=True)
class Sampled:
    """What is sampled. unit, period: what a sample stands for, as in a Profile."""

    event: str
    rate: Rate
    unit: str
    period: int

    def describe(self) -> str:
        """`cpu-clock at 99 Hz`."""
        return self.rate.describe(self.event)

    def pace(self, samples: int, seconds: float) -> str:
        """`99 samples/s`; where the number of events is known, `2,340 events/s`."""
        is_counted = self.unit == "count" and self.period
        amount = samples * self.period if is_counted else samples
        each_second = amount / seconds if seconds else 0.0
        return f"{each_second:,.0f} {'events' if is_counted else 'samples'}/s"


@dataclass(frozen=True, slots=True)
class Increment:
    """Samples counted between two times (time.monotonic()), with names."""

    samples: tuple[Sample, ...]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Figures:
    """How a run stands since its start. lost: taken, and in no increment.

    stops: user stacks by stop reason; kernel_seconds: in the BPF program.
    """

    samples: int
    lost: int
    stops: dict[str, int]
    kernel_seconds: float


class LiveRecorder(Recorder):
    """Samples from `start` on. The caller polls `fd`, calls `tend` when it is readable and every
    `tend_s` seconds, `take` for each increment that it wants, and `named` for those that are ready.

    Names are looked up in the background: an increment may be ready a while after it was taken,
    when symbols have to be read first. A command reads and writes nothing, as the terminal is ours.
    """

    _is_command_mute = True

    def __init__(self, target: Target, options: RecordOptions) -> None:
        super().__init__(target, options)
        self._named: queue.SimpleQueue[Increment] = queue.SimpleQueue()
        self._namer = Namer(self._resolver, self._store)
        self._waiting = self._unnamed = 0
        self._begun = time.monotonic()
        self._exits = ExitStack()
        self._cleanup.callback(self._exits.close)
        self._poll = self._exits.enter_context(select.epoll())
        self._alive: set[int] = set()
        self.is_over = False

    @property
    def sampled(self) -> Sampled:
        """What is sampled, and how often."""
        return Sampled(self._event.name, self._rate, *self._event.weight(self._rate))

    @property
    def fd(self) -> int:
        """Readable when there is something to tend to."""
        return self._poll.fileno()

    @property
    def tend_s(self) -> float:
        """How long the recording may be left alone at most."""
        return TICK_S if self._timeline.is_empty else PENDING_S

    @property
    def is_waiting(self) -> bool:
        """Whether increments were taken that are not named yet."""
        return self._waiting > 0

    @property
    def is_one_process(self) -> bool:
        """Whether the target is one process, and had no other beneath it at the start."""
        return self._members is not None and len(self._members.pids) == 1

    @property
    def exit_code(self) -> int:
        """The command's; 0 without one."""
        return self._command.exit_code if self._command else 0

    def start(self) -> None:
        """Begin to sample."""
        self._alive = set(exit_descriptors(self._followed(), self._exits))
        for fd in (*self._timeline.descriptors, *self._alive):
            self._poll.register(fd, select.EPOLLIN)
        self._start()
        self._begun = time.monotonic()

    def tend(self) -> None:
        """Take in what the rings hold; `is_over` once the processes or the command have ended."""
        ready = {fd for fd, _ in self._poll.poll(0)}
        for fd in self._alive & ready:
            self._alive.discard(fd)
            self._poll.unregister(fd)
        if ready:
            time.sleep(BATCH_S)
        self._drain(time.monotonic_ns() - SETTLE_NS)
        self.is_over = self._is_over(bool(self._alive))

    def take(self) -> None:
        """Have what was counted since the last call named.

        The stack of each count was sent before it was counted: so counts are read first.
        """
        self._count()
        end = time.monotonic()
        self._drain(time.monotonic_ns() - SETTLE_NS)
        rows = self._store.take_counts()
        self._waiting += 1
        self._resolver.then(partial(self._name, rows, self._store.comms, self._begun, end))
        self._begun = end

    def named(self, wait_s: float = 0.0) -> list[Increment]:
        """Increments that are ready, in their order; waits for the first one if need be."""
        found: list[Increment] = []
        try:
            while self._waiting:
                wait = 0.0 if found else wait_s
                found.append(self._named.get(timeout=wait) if wait else self._named.get_nowait())
                self._waiting -= 1
        except queue.Empty:
            pass
        return found

    def figures(self) -> Figures:
        """How the run stands."""
        counters, stops = self._session.counters(), self._stops()
        return Figures(
            samples=counters["samples"],
            lost=sum(counters[one.name] for one in COUNTERS if one.is_loss) + self._unnamed,
            stops={name: count for name, count in stops.items() if count},
            kernel_seconds=self._session.run_statistics()[1],
        )

    def counters(self) -> dict[str, int]:
        """What else was counted since the start, by name, at the end; zeros are left out."""
        if self._members:
            self._members.end()
        counters = self._counters()
        for name in ("samples", "user", "kernel_only"):
            del counters[name]
        return {name: count for name, count in counters.items() if count}

    def _name(self, rows: Rows, comms: list[str], start: float, end: float) -> None:
        samples: tuple[Sample, ...] | None = None
        with self._walls.around("names of samples"):
            samples = self._namer.samples(rows, comms)
        if samples is None:
            self._unnamed += int(rows["count"].sum())
        self._named.put(Increment(samples or (), start, end))
