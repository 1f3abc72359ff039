"""What a kind of events has to offer, ours and third parties'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from ebprof.bpf.cpu import CpuSession
from ebprof.bpf.events import Rate, Scope
from ebprof.walls import Walls


@dataclass(frozen=True, slots=True)
class Processes:
    """Those that are sampled from the start; none: all. follow: also what they start.

    walls: stand around what is read of each.
    """

    pids: tuple[int, ...] = ()
    follow: bool = False
    walls: Walls = field(default_factory=Walls, compare=False)


@runtime_checkable
class Event(Protocol):
    """One event, ready to be sampled: a stack is counted at it."""

    @property
    def name(self) -> str:
        """As outputs show it, perf's name where perf has one: `page-faults`."""

    @property
    def sampler(self) -> str | Path:
        """The BPF object that runs at it: `cpu` for perf events, `tracepoint`, `uprobe`, or
        the path of another one, without `.bpf.o`.
        """

    @property
    def constants(self) -> Mapping[str, int]:
        """Values of the object's own `const volatile` variables."""

    @property
    def is_scheduled(self) -> bool:
        """True when perf keeps it to tasks, CPUs and cgroups, and at its rate; else the program
        does.
        """

    @property
    def is_clock(self) -> bool:
        """True for time: samples tell how much CPU time passed."""

    def is_counted_by_task(self, rate: Rate) -> bool:
        """True where perf events are better opened on the threads of a target than on CPUs.

        A CPU's event runs the program for everybody's events. A new thread's begins with a whole
        period, so that what is rarer than its threads live long would be missed.
        """

    def rate(self, frequency: int | None, period: int | None) -> Rate:
        """How often to sample by -F and -c, of which one at most is given.

        Raises UsageError when it does not go with the event.
        """

    def weight(self, rate: Rate) -> tuple[str, int]:
        """What a sample stands for: a unit, and how much of it; 0 when that is not known."""

    def attach(
        self, session: CpuSession, rate: Rate, scopes: Sequence[Scope], *, idle: bool
    ) -> None:
        """Begin to sample. scopes: what to open perf events on; idle: sample idle CPUs too."""


@runtime_checkable
class TendedEvent(Protocol):
    """An event that has something to do while a run lasts, or to say at its end."""

    def tend(self, session: CpuSession) -> None:
        """Keep it attached; called many times a second."""

    def warnings(self, session: CpuSession) -> Iterable[str]:
        """Why events may be missing, a sentence each; asked for once sampling has ended."""


def tend(event: Event, session: CpuSession) -> None:
    """Let an event do what it has to while the run lasts."""
    if _is_tended(type(event)):
        assert isinstance(event, TendedEvent)
        event.tend(session)


def warnings_of(event: Event, session: CpuSession) -> tuple[str, ...]:
    """What an event has to say at the end of a run."""
    return tuple(event.warnings(session)) if isinstance(event, TendedEvent) else ()


@cache
def _is_tended(kind: type) -> bool:
    """Asked many times a second: a look at a protocol takes longer than the rest of a tick."""
    return issubclass(kind, TendedEvent)


@runtime_checkable
class EventKind(Protocol):
    """A kind of events: a module, or what an entry point names."""

    def find(self, name: str, processes: Processes) -> Event | None:
        """The event that -e names, in these processes; None when it is of another kind.

        Raises an EbprofError when the event is of this kind and cannot be had.
        """

    def known(self) -> Iterable[tuple[str, str]]:
        """What -e can name, with a line of help each."""
