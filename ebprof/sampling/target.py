"""Whom to sample, as perf events see it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ebprof.bpf.events import Scope
from ebprof.bpf.tasks import Only
from ebprof.errors import NoTargetError, UsageError
from ebprof.identity.containers import short
from ebprof.procfs import process
from ebprof.procfs.text import printable

ONLINE_CPUS = Path("/sys/devices/system/cpu/online")
_CPU_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for; nothing at all means every process on every CPU.

    cpus: only there; empty: everywhere. cgroup: a path, absolute or below the cgroup root.
    container: the one that the cgroup is of. command: to be started and sampled. inherit: processes
    are sampled with all that they start.
    """

    pids: tuple[int, ...] = ()
    tids: tuple[int, ...] = ()
    cpus: tuple[int, ...] = ()
    comm: str = ""
    cgroup: str = ""
    container: str = ""
    command: tuple[str, ...] = ()
    inherit: bool = True

    def __post_init__(self) -> None:
        given = [
            name
            for name, value in (
                ("-p", self.pids),
                ("-t", self.tids),
                ("--container" if self.container else "-G", self.cgroup or self.container),
                ("-- COMMAND", self.command),
            )
            if value
        ]
        if len(given) > 1:
            raise UsageError(f"{given[0]} and {given[1]} exclude each other", "choose one")

    @property
    def only(self) -> Only:
        """Which tasks are sampled."""
        if self.tids:
            return Only.THREADS
        if self.pids or self.command:
            return Only.PROCESSES if self.inherit else Only.PROCESSES_ALONE
        return Only.ALL

    @property
    def is_system_wide(self) -> bool:
        """True when processes that come into being during the run belong to it."""
        return not (self.pids or self.tids)

    def describe(self) -> str:
        """For people: `PID 12`, `all processes`, ..."""
        return printable(self._words())

    def _words(self) -> str:
        if self.pids:
            return "PID " + ",".join(map(str, self.pids))
        if self.tids:
            return "TID " + ",".join(map(str, self.tids))
        if self.command:
            return self.command[0]
        if self.container:
            return f"container {short(self.container)}"
        if self.cgroup:
            return f"cgroup {self.cgroup}"
        return f"processes named {self.comm}" if self.comm else "all processes"


def processes_of(target: Target) -> list[int]:
    """The processes that are sampled from the start; raises NoTargetError for one that is gone."""
    if target.pids:
        for pid in target.pids:
            _check_process(pid)
        return list(target.pids)
    if target.tids:
        return sorted({_process_of_thread(_alive(tid)) for tid in target.tids})
    return []


def scopes(target: Target, pids: Iterable[int], *, by_task: bool) -> list[Scope]:
    """What to open events on: CPUs, or with `by_task` the threads of a target.

    pids: the processes of the target. What they create inherits their events; what the threads of
    `target.tids` create does not.
    """
    cpus = check_cpus(target.cpus)
    if by_task and target.tids:
        return [Scope(pid=tid, cpu=cpu) for tid in target.tids for cpu in cpus or (-1,)]
    if by_task and target.pids:
        return [
            Scope(pid=tid, cpu=cpu, inherit=True)
            for pid in pids
            for tid in threads_of(pid)
            for cpu in cpus or (-1,)
        ]
    return [Scope(cpu=cpu) for cpu in cpus or online_cpus()]


def threads_of(pid: int) -> list[int]:
    """Threads of a process; none when it is gone."""
    try:
        return process.threads(pid)
    except NoTargetError:
        return []


def check_cpus(cpus: Iterable[int]) -> tuple[int, ...]:
    """The CPUs, if all are online; raises NoTargetError otherwise."""
    online = set(online_cpus())
    for cpu in cpus:
        if cpu not in online:
            raise NoTargetError(
                f"CPU {cpu} is not online", f"online CPUs: {ONLINE_CPUS.read_text().strip()}"
            )
    return tuple(cpus)


def online_cpus() -> list[int]:
    """Numbers of the CPUs that are online."""
    return parse_cpus(ONLINE_CPUS.read_text())


def parse_cpus(text: str) -> list[int]:
    """`0-3,8` as numbers; raises UsageError, which names the form."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        match = _CPU_RANGE.fullmatch(part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"cannot read CPU list {text.strip()!r}", "write it like 0-3,8")
        first = int(match[1])
        cpus.extend(range(first, int(match[2] or first) + 1))
    return cpus


def exit_descriptors(pids: list[int], opened: ExitStack) -> Iterator[int]:
    """A descriptor a process, readable once it has exited (pidfd_open(2))."""
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            continue  # gone already, which the loop notices
        opened.callback(os.close, fd)
        yield fd


def _check_process(pid: int) -> None:
    if not process.exists(pid):
        raise NoTargetError(
            f"cannot attach to PID {pid}: no such process", "`ps -e` lists those that run"
        )
    if process.is_kernel_thread(pid):
        return
    leader = _process_of_thread(pid)
    if leader != pid:
        raise NoTargetError(f"{pid} is a thread of PID {leader}", f"use -t {pid} or -p {leader}")


def _alive(tid: int) -> int:
    if process.exists(tid) and process.has_ended(tid):
        raise NoTargetError(
            f"cannot attach to TID {tid}: this thread has ended",
            f"use -p {_process_of_thread(tid)} for the threads of its process that still run",
        )
    return tid


def _process_of_thread(tid: int) -> int:
    try:
        return process.leader(tid)
    except NoTargetError:
        raise NoTargetError(
            f"cannot attach to TID {tid}: no such thread", "`ps -eL` lists those that run"
        ) from None
