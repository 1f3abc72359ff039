"""Events that perf counts: clocks, and what the machine and the kernel count besides.

Names are perf's own (perf-list(1)), with its short ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ebprof.bpf import events
from ebprof.bpf.cpu import CpuSession
from ebprof.bpf.events import CPU_CLOCK, CYCLES, PERF_TYPE_HARDWARE, PERF_TYPE_SOFTWARE, Rate, Scope
from ebprof.errors import UnsupportedError
from ebprof.events._protocol import Processes

DEFAULT_FREQUENCY = 99
CPU = "cpu"
_CLOCK_SECOND = 10**9

# Names, the one that is shown first, by their number in linux/perf_event.h.
_HARDWARE = {
    0: (("cycles", "cpu-cycles"), "CPU cycles"),
    1: (("instructions",), "instructions retired"),
    2: (("cache-references",), "accesses of the last level cache"),
    3: (("cache-misses",), "accesses that the last level cache missed"),
    4: (("branches", "branch-instructions"), "branches retired"),
    5: (("branch-misses",), "branches predicted wrongly"),
    6: (("bus-cycles",), "bus cycles"),
    7: (("stalled-cycles-frontend", "idle-cycles-frontend"), "cycles without instructions to run"),
    8: (("stalled-cycles-backend", "idle-cycles-backend"), "cycles in which nothing retired"),
    9: (("ref-cycles",), "cycles at a constant frequency"),
}
_SOFTWARE = {
    0: (("cpu-clock",), "time on a CPU"),
    1: (("task-clock",), "time on a CPU, by the clock of the task"),
    2: (("page-faults", "faults"), "page faults"),
    3: (("context-switches", "cs"), "switches to another thread"),
    4: (("cpu-migrations", "migrations"), "moves of threads to another CPU"),
    5: (("minor-faults",), "page faults without reading from disk"),
    6: (("major-faults",), "page faults that read from disk"),
    7: (("alignment-faults",), "unaligned accesses that the kernel handled"),
    8: (("emulation-faults",), "instructions that the kernel emulated"),
    11: (("cgroup-switches",), "switches to a thread of another cgroup"),
}
_CLOCKS = ("cpu-clock", "task-clock")


@dataclass(frozen=True, slots=True)
class PerfEvent:
    """An event that perf counts, and keeps to tasks, CPUs and cgroups."""

    counter: events.Event
    sampler: str = "cpu"
    is_scheduled: bool = True

    @property
    def name(self) -> str:
        """As perf names it."""
        return self.counter.name

    @property
    def constants(self) -> Mapping[str, int]:
        """None."""
        return {}

    @property
    def is_clock(self) -> bool:
        """True for time, which is sampled by frequency and measured in nanoseconds."""
        return self.counter.type == PERF_TYPE_SOFTWARE and self.name in _CLOCKS

    def is_counted_by_task(self, rate: Rate) -> bool:
        """Where each one that the kernel counts is sampled."""
        is_software = self.counter.type == PERF_TYPE_SOFTWARE and not self.is_clock
        return is_software and rate == Rate()

    def rate(self, frequency: int | None, period: int | None) -> Rate:
        """By default clocks and what the machine counts 99 times a second, all else each time."""
        if period is not None:
            return Rate(period=period)
        if frequency is None and not self.is_clock and self.counter.type == PERF_TYPE_SOFTWARE:
            return Rate()
        frequency = frequency or DEFAULT_FREQUENCY
        events.check_frequency(frequency)
        return Rate(frequency, period=0)

    def weight(self, rate: Rate) -> tuple[str, int]:
        """Time, for clocks and for cycles, which are one; else events, where they are counted."""
        if rate.frequency:
            is_time = self.is_clock or self.counter == CYCLES
            return ("nanoseconds", _CLOCK_SECOND // rate.frequency) if is_time else ("count", 0)
        return "nanoseconds" if self.is_clock else "count", rate.period

    def attach(
        self, session: CpuSession, rate: Rate, scopes: Sequence[Scope], *, idle: bool
    ) -> None:
        """Open it for each scope."""
        session.attach_perf_event(self.counter, rate, scopes, idle=idle)


def find(name: str, processes: Processes) -> PerfEvent | None:
    """Raises UnsupportedError when this machine does not count it, NoPermissionError when we may
    not know.
    """
    if name == CPU:
        return PerfEvent(_cpu_event())
    counter = _BY_NAME.get(name)
    if counter is None:
        return None
    if not events.is_supported(counter):
        raise UnsupportedError(
            f"this machine does not count {name}", "use -e cpu-clock, which is always there"
        )
    return PerfEvent(counter)


def _cpu_event() -> events.Event:
    try:
        return CYCLES if events.is_supported(CYCLES) else CPU_CLOCK
    except UnsupportedError:  # all counters are taken, for instance
        return CPU_CLOCK


def known() -> Iterable[tuple[str, str]]:
    """The counters, and `cpu`, which stands for one of them."""
    yield CPU, "cycles where the machine counts them, else cpu-clock (the default)"
    for table, source in ((_HARDWARE, "counted by the machine"), (_SOFTWARE, "")):
        for names, text in table.values():
            notes = [
                *([f"or {', '.join(names[1:])}"] if names[1:] else []),
                *filter(None, [source]),
            ]
            yield names[0], f"{text} ({'; '.join(notes)})" if notes else text


def _by_name() -> dict[str, events.Event]:
    found = {}
    for kind, table in ((PERF_TYPE_HARDWARE, _HARDWARE), (PERF_TYPE_SOFTWARE, _SOFTWARE)):
        for number, (names, _) in table.items():
            found.update(dict.fromkeys(names, events.Event(names[0], kind, number)))
    return found


_BY_NAME = _by_name()
