"""Tracepoints of the kernel: `sched:sched_switch`, `syscalls:sys_enter_openat`.

tracefs says which there are, and by which number perf knows them (Documentation/trace/events.rst).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ebprof.bpf import rights
from ebprof.bpf.cpu import CpuSession
from ebprof.bpf.events import Rate, Scope
from ebprof.errors import NoPermissionError, UnsupportedError
from ebprof.events._protocol import Processes
from ebprof.events._traced import TracedEvent
from ebprof.procfs import kernelfs

_NAME = re.compile(r"([\w-]{1,100}):([\w-]{1,100})", re.ASCII)
_LIST = "available_events"
_UNMOUNTED = "root with CAP_SYS_ADMIN reads tracefs, mounted or not"
_LOCKDOWN = "kernel lockdown in its mode confidentiality leaves tracefs empty"


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

    Raises NoTracepointError when there is none of that name, NoPermissionError where we may not
    read tracefs, UnsupportedError where it cannot be read otherwise, or lists none.
    """
    path = f"events/{name.replace(':', '/')}/id"
    try:
        with kernelfs.opened(kernelfs.TRACEFS) as root:
            number = root.read(path)
            is_filled = number or root.read(_LIST)
    except UnsupportedError as error:
        message = f"cannot look up {name}: {error.message}"
        if rights.lacking():
            raise NoPermissionError(message, rights.advice(rights.PARANOID)) from None
        refusal = NoPermissionError if os.geteuid() else UnsupportedError
        raise refusal(message, _UNMOUNTED) from None
    if number:
        return int(number)
    if is_filled:
        raise NoTracepointError(f"this kernel has no tracepoint {name}")
    raise UnsupportedError(f"cannot look up {name}: tracefs lists no tracepoints", _LOCKDOWN)


def known() -> Iterable[tuple[str, str]]:
    """All that tracefs lists; where it cannot be read, their form and why."""
    try:
        with kernelfs.opened(kernelfs.TRACEFS) as root:
            found = root.read(_LIST) or b""
    except UnsupportedError as error:
        yield "group:name", f"a tracepoint; which there are is not known: {error.message}"
        return
    for name in sorted(found.decode("ascii", "replace").split()):
        yield name, "tracepoint"
