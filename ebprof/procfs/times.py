"""CPU time of processes and threads as `/proc` gives it: user and system, in clock ticks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ebprof.errors import NoPermissionError, NoTargetError
from ebprof.procfs import process

# Fields of /proc/PID/stat after the command's name, proc(5) numbers minus 3.
_PARENT, _USER, _SYSTEM = 1, 11, 12
_TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class TaskTime:
    """cpu_ns: of a process, that of its threads, those that are gone included."""

    pid: int
    tid: int
    parent: int
    cpu_ns: int


def process_times() -> list[TaskTime]:
    """Of all processes; those that end meanwhile are left out."""
    return list(_readable(_of_process, process.all_processes()))


def thread_times(tids: Iterable[int]) -> list[TaskTime]:
    """Of these threads; those that are gone are left out."""
    return list(_readable(_of_thread, tids))


def _readable(read: Callable[[int], TaskTime], numbers: Iterable[int]) -> Iterator[TaskTime]:
    for number in numbers:
        with suppress(NoTargetError, NoPermissionError):
            yield read(number)


def _of_process(pid: int) -> TaskTime:
    return _read(Path(f"/proc/{pid}/stat"), pid, pid)


def _of_thread(tid: int) -> TaskTime:
    pid = process.leader(tid)
    return _read(Path(f"/proc/{pid}/task/{tid}/stat"), pid, tid)


def _read(path: Path, pid: int, tid: int) -> TaskTime:
    with process.reading(pid):
        fields = path.read_bytes().rpartition(b")")[2].split()
    ticks = int(fields[_USER]) + int(fields[_SYSTEM])
    return TaskTime(pid, tid, int(fields[_PARENT]), ticks * _TICK_NS)
