"""CPU time of processes and threads as `/proc` gives it: user and system, in clock ticks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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


def process_time(pid: int) -> TaskTime:
    """Of a process; raises NoTargetError or NoPermissionError."""
    return _read(Path(f"/proc/{pid}/stat"), pid, pid)


def thread_time(tid: int) -> TaskTime:
    """Of a thread; raises the same."""
    pid = process.leader(tid)
    return _read(Path(f"/proc/{pid}/task/{tid}/stat"), pid, tid)


def _read(path: Path, pid: int, tid: int) -> TaskTime:
    with process.reading(pid):
        fields = path.read_bytes().rpartition(b")")[2].split()
    ticks = int(fields[_USER]) + int(fields[_SYSTEM])
    return TaskTime(pid, tid, int(fields[_PARENT]), ticks * _TICK_NS)
