"""Tracepoints of the kernel: `sched:sched_switch`, `syscalls:sys_enter_openat`.

tracefs says which there are, and by which number perf knows them (Documentation/trace/events.rst).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ebprof.bpf.cpu import CpuSession
from ebprof.bpf.events import Rate, Scope
from ebprof.errors import UnsupportedError
from ebprof.events._protocol import Processes
from ebprof.events._traced import TracedEvent
from ebprof.procfs.mounts import read_mounts

_NAME = re.compile(r"([\w-]{1,100}):([\w-]{1,100})", re.ASCII)
_HINT = "run as root, with tracefs mounted: mount -t tracefs none /sys/kernel/tracing"


class NoTracepointError(UnsupportedError):
    """This kernel has no tracepoint of that name."""


class Tracepoint(TracedEvent):
    """A tracepoint, by its number in tracefs."""

    sampler: str | Path = "tracepoint"

    def __init__(self, name: str, number: int) -> None:
        super().__init__(name)
        self._number = number

    def attach(
        self, session: CpuSession, rate: Rate, scopes: Sequence[Scope], *, idle: bool
    ) -> None:
        """Attach once: perf runs the program on all CPUs."""
        session.attach_tracepoint(self.name, self._number)


def find(name: str, processes: Processes) -> Tracepoint | None:
    """Raises UnsupportedError where tracefs cannot be read."""
    match = _NAME.fullmatch(name)
    if match is None or match[1] == "u":
        return None
    try:
        return Tracepoint(name, number_of(name))
    except NoTracepointError:
        return None


def number_of(name: str) -> int:
    """The number of a tracepoint `group:name`.

    Raises NoTracepointError when there is none of that name, UnsupportedError where tracefs cannot
    be read.
    """
    directory = _events_directory(name) / name.replace(":", "/")
    try:
        return int((directory / "id").read_text())
    except FileNotFoundError:
        raise NoTracepointError(f"this kernel has no tracepoint {name}") from None
    except OSError as error:
        raise UnsupportedError(
            f"cannot look up tracepoint {name} in tracefs: {error.strerror}", _HINT
        ) from None


def known() -> Iterable[tuple[str, str]]:
    """All that tracefs lists; none where it cannot be read."""
    try:
        found = (_events_directory("").parent / "available_events").read_text().split()
    except (OSError, UnsupportedError):
        return
    for name in sorted(found):
        yield name, "tracepoint"


def _events_directory(name: str) -> Path:
    """`events` of a tracefs, wherever it is mounted."""
    for mount in read_mounts():
        if mount.kind == "tracefs":
            return Path(mount.path) / "events"
    raise UnsupportedError(f"cannot look up tracepoint {name}: tracefs is not mounted", _HINT)
