"""perf events: which one samples the CPU here, and one descriptor a CPU or a task."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ebprof._native import ffi, lib
from ebprof.bpf import rights
from ebprof.errors import (
    EbprofError,
    NoPermissionError,
    NoTargetError,
    UnsupportedError,
    UsageError,
)

PERF_TYPE_HARDWARE, PERF_TYPE_SOFTWARE, PERF_TYPE_TRACEPOINT = 0, 1, 2
PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_SW_CPU_CLOCK = 0, 0
PERF_EVENT_IOC_DISABLE, PERF_EVENT_IOC_PERIOD = 0x2401, 0x40082404
# perf_event_open(2): no such counter, none that interrupts, none for this configuration.
_NOT_COUNTED = (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV)
MAX_RATE = Path("/proc/sys/kernel/perf_event_max_sample_rate")


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of perf event (perf_event_open(2)): name as perf spells it, type and config."""

    name: str
    type: int
    config: int


CPU_CLOCK = Event("cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK)
CYCLES = Event("cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often to sample: `frequency` times a second, or where it is 0 at each `period`-th event.

    The period of a clock is in nanoseconds.
    """

    frequency: int = 0
    period: int = 1

    def describe(self, event: str) -> str:
        """`cpu-clock at 99 Hz`; `page-faults, one each 10`, or `page-faults` where all are."""
        if self.frequency:
            return f"{event} at {self.frequency} Hz"
        return f"{event}, one each {self.period:,}" if self.period > 1 else event


@dataclass(frozen=True, slots=True)
class Scope:
    """What one descriptor watches: a task (pid -1: all), a CPU (-1: all), or a cgroup on a CPU.

    inherit: also what the task creates.
    """

    pid: int = -1
    cpu: int = -1
    cgroup: int = -1
    inherit: bool = False


class NotCountedError(UnsupportedError):
    """Neither the machine nor the kernel counts such events."""


def is_supported(event: Event) -> bool:
    """Whether the machine counts it; raises what `open_event` does when that cannot be told."""
    try:
        os.close(open_event(event, Rate(period=1 << 30), Scope(pid=os.getpid())))
    except NotCountedError:
        return False
    return True


def check_frequency(frequency: int) -> None:
    """Raises UsageError above the kernel's own limit (perf_event_max_sample_rate).

    Where that cannot be read, the kernel itself will refuse.
    """
    try:
        limit = int(MAX_RATE.read_text())
    except (OSError, ValueError):
        return
    if frequency > limit:
        raise UsageError(
            f"frequency {frequency} Hz is above this kernel's limit of {limit} Hz",
            f"use -F {limit} or lower, or raise kernel.perf_event_max_sample_rate",
        )


def open_event(event: Event, rate: Rate, scope: Scope, *, idle: bool = False) -> int:
    """A descriptor of a disabled event. Raises NoTargetError, NoPermissionError, ..."""
    request = ffi.new(
        "struct event_request *",
        {
            "type": event.type,
            "config": event.config,
            "frequency": rate.frequency,
            "period": rate.period,
            "pid": scope.pid if scope.cgroup < 0 else scope.cgroup,
            "cpu": scope.cpu,
            "is_cgroup": scope.cgroup >= 0,
            "inherit": scope.inherit,
            "exclude_idle": not idle,
        },
    )
    fd = int(lib.event_open(request))
    if fd < 0:
        raise _refusal(-fd, event, scope)
    return fd


def disable(descriptors: Iterable[int]) -> None:
    """Stop events, and those that their tasks' children inherited."""
    for fd in descriptors:
        fcntl.ioctl(fd, PERF_EVENT_IOC_DISABLE, 0)


def set_period(descriptors: Iterable[int], period: int) -> None:
    """Sample at each so many events from now on; of a clock, after so many nanoseconds.

    A clock's event has a period and no frequency, however it was opened (perf_swevent_init_hrtimer
    in the kernel).
    """
    for fd in descriptors:
        fcntl.ioctl(fd, PERF_EVENT_IOC_PERIOD, period.to_bytes(8, sys.byteorder))


def _refusal(code: int, event: Event, scope: Scope) -> EbprofError:
    if code == errno.ESRCH:
        return NoTargetError(f"cannot attach to {scope.pid}: no such process or thread")
    if code in (errno.EACCES, errno.EPERM):
        return NoPermissionError(
            f"cannot open perf event {event.name}: permission denied",
            rights.advice(rights.PARANOID),
        )
    if code == errno.ENOENT and scope.cgroup >= 0:
        return UnsupportedError(
            "the cgroup does not count perf events: no controller was ever enabled for it",
            "as root, `echo +cpu >cgroup.subtree_control` in the hierarchy's root, once",
        )
    if code == errno.ENODEV and scope.cpu >= 0:
        return NoTargetError(f"CPU {scope.cpu} is not online")
    if code == errno.EMFILE:
        return UnsupportedError(
            "too many open files: one is needed for each CPU or thread", "raise `ulimit -n`"
        )
    refusal = NotCountedError if code in _NOT_COUNTED else UnsupportedError
    return refusal(f"cannot open perf event {event.name}: {os.strerror(code)}")
