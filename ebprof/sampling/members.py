"""Who belongs to a target, and what CPU time they had: the truth that samples are compared with."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import TASK_RECORD
from ebprof.bpf.tasks import Only, TargetTasks
from ebprof.errors import NoPermissionError, NoTargetError, UnsupportedError
from ebprof.procfs import process
from ebprof.procfs.times import TaskTime, process_time, thread_time
from ebprof.walls import Walls

EDGE_S = 0.01
"""Sampling and accounting do not begin and end at the very same moment, nor on all CPUs."""
SETTLE_S, PAUSE_S = 0.2, 0.005
"""A task that has ended is accounted for when the kernel frees it, some 20 ms later (RCU)."""
_MAX_ROUNDS = 64


class Members:
    """Processes, with all that descends from them or alone, or threads.

    roots: the processes or threads that were asked for. What processes start after `__init__` is
    followed in the kernel, from its first instruction on. Raises UnsupportedError where there is no
    way to find tasks. walls: stand around what /proc says of each. edge_s: by how much, on each
    CPU, `cpu_seconds` may be off.
    """

    def __init__(
        self, tasks: TargetTasks, roots: Iterable[int], only: Only, walls: Walls | None = None
    ) -> None:
        self._tasks = tasks
        self._walls = walls or Walls()
        self._roots = frozenset(roots)
        self._threads = only is Only.THREADS
        self._inherit = only is Only.PROCESSES
        self._start_ns = 0
        self._end_ns: int | None = None
        self.edge_s = EDGE_S
        self.pids: list[int] = []
        self._gather()

    def begin(self) -> None:
        """CPU time counts from now on."""
        self._start_ns = self._total_ns()

    def end(self) -> None:
        """CPU time counts no longer, but for what ended tasks had that are not accounted for yet.

        `edge_s` grows by the time that this takes.
        """
        start = time.monotonic()
        waiting = set(self._tasks.numbers()) - set(self._number(self._rows()))
        deadline = start + SETTLE_S
        while waiting and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
            waiting &= set(self._tasks.numbers())
        self._end_ns = self._total_ns()
        self.edge_s += time.monotonic() - start

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all members from `begin` to `end`, or until now, by the kernel's account."""
        end = self._total_ns() if self._end_ns is None else self._end_ns
        return max(0, end - self._start_ns) / 1e9

    def _gather(self) -> None:
        """Look until nobody is new: a child is followed only if its parent was a member before."""
        known = np.zeros(0, np.uint32)
        for _ in range(_MAX_ROUNDS):
            rows = self._rows()
            members = rows[self._belong(rows)]
            new = members[~np.isin(self._number(members), known)]
            self.pids = sorted(set(members["own_pid"].tolist()))
            if not len(new):
                return
            self._tasks.add(self._number(new), new["start"])
            known = self._number(members)

    def _belong(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Which tasks are members: threads themselves, or first threads of processes."""
        if self._threads:
            return np.isin(rows["own_tid"], list(self._roots))
        leaders = rows["pid"] == rows["tid"]
        found: NDArray[np.bool_] = leaders & np.isin(rows["own_pid"], list(self._roots))
        while self._inherit:
            more = found | (leaders & np.isin(rows["parent"], rows["pid"][found]))
            if np.array_equal(more, found):
                break
            found = more
        return found

    def _total_ns(self) -> int:
        ended = self._tasks.ended_ns
        rows = self._rows()
        of_members = rows[np.isin(rows["tid" if self._threads else "pid"], self._tasks.numbers())]
        total = int(of_members["runtime"].sum()) + ended
        return total if self._threads else total + int(of_members["ended"].sum())

    def _number(self, rows: NDArray[Any]) -> NDArray[np.uint32]:
        numbers: NDArray[np.uint32] = rows["tid" if self._threads else "pid"]
        return numbers

    def _rows(self) -> NDArray[Any]:
        rows = self._tasks.snapshot()
        if rows is not None:
            return rows
        if process.own_pid_namespace():
            raise UnsupportedError(
                "bcc cannot find processes within a PID namespace",
                "use --loader libbpf, or run ebprof in the host's PID namespace",
            )
        return _from_proc(self._roots if self._threads else None, self._walls)


def _from_proc(tids: frozenset[int] | None, walls: Walls) -> NDArray[Any]:
    """TASK_RECORD[n] of these threads, or of all processes, whose times include their threads'.

    What cannot be read, or has ended, is left out.
    """
    found: list[TaskTime] = []
    for number in process.all_processes() if tids is None else tids:
        with (
            walls.around(f"/proc/{number}/stat"),
            suppress(NoTargetError, NoPermissionError),
        ):
            found.append(process_time(number) if tids is None else thread_time(number))
    rows = np.zeros(len(found), TASK_RECORD)
    for row, one in zip(rows, found, strict=True):
        row["pid"] = row["own_pid"] = one.pid
        row["tid"] = row["own_tid"] = one.tid
        row["parent"] = one.parent
        row["runtime"] = one.cpu_ns
    return rows
