"""Who belongs to a target, and what CPU time they had, by rows as the kernel gives them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ebprof.abi import TASK_RECORD
from ebprof.bpf.tasks import Only
from ebprof.sampling import members as members_module
from ebprof.sampling.members import Members

SECOND = 10**9
OWN = 1000
"""What our own PID namespace's numbers lie below the kernel's."""


def task(pid: int, parent: int = 1, tid: int = 0, runtime: int = 0, ended: int = 0) -> Any:
    row = np.zeros((), TASK_RECORD)
    row["pid"], row["tid"], row["parent"] = pid, tid or pid, parent
    row["own_pid"], row["own_tid"] = pid - OWN, (tid or pid) - OWN
    row["start"], row["runtime"], row["ended"] = 7 * pid, runtime, ended
    return row


class Kernel:
    """Stands in for TargetTasks: what a snapshot gives, one after the other, the last for ever."""

    def __init__(self, *snapshots: Sequence[Any]) -> None:
        self.snapshots = [np.array(one, TASK_RECORD) for one in snapshots]
        self.wanted: dict[int, int] = {}
        self.ended_ns = 0

    def snapshot(self) -> NDArray[Any]:
        return self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]

    def add(self, numbers: NDArray[np.uint32], starts: NDArray[np.uint64]) -> None:
        self.wanted.update(zip(numbers.tolist(), starts.tolist(), strict=True))

    def numbers(self) -> NDArray[np.uint32]:
        return np.array(list(self.wanted), np.uint32)


def members(kernel: Kernel, *roots: int, only: Only = Only.PROCESSES) -> Members:
    return Members(kernel, [root - OWN for root in roots], only)  # type: ignore[arg-type]


FAMILY = [
    task(2001),
    task(2002, parent=2001),
    task(2002, parent=2001, tid=2005),
    task(2003, parent=2002),
    task(2004, parent=1),
    task(2006, parent=2004),
]


def test_all_that_descend_are_members_by_the_kernels_numbers_and_start() -> None:
    kernel = Kernel(FAMILY)
    assert members(kernel, 2001).pids == [1001, 1002, 1003]
    assert kernel.wanted == {2001: 7 * 2001, 2002: 7 * 2002, 2003: 7 * 2003}


def test_a_process_alone() -> None:
    kernel = Kernel(FAMILY)
    assert members(kernel, 2001, only=Only.PROCESSES_ALONE).pids == [1001]
    assert list(kernel.wanted) == [2001]


def test_threads_alone() -> None:
    kernel = Kernel(FAMILY)
    assert members(kernel, 2005, only=Only.THREADS).pids == [1002]
    assert list(kernel.wanted) == [2005]


def test_what_is_forked_while_we_look_is_found_by_looking_again() -> None:
    late = [*FAMILY, task(2000, parent=2003)]  # a number below its parent's
    kernel = Kernel(FAMILY, late)
    assert members(kernel, 2001).pids == [1000, 1001, 1002, 1003]
    assert 2000 in kernel.wanted


def test_cpu_time_is_that_of_members_from_begin_to_end() -> None:
    kernel = Kernel(
        [task(2001), task(2004)],
        [task(2001), task(2004)],
        [task(2001, runtime=5 * SECOND, ended=SECOND), task(2004, runtime=70 * SECOND)],
        [
            task(2001, runtime=6 * SECOND, ended=2 * SECOND),
            task(2001, tid=2009, runtime=SECOND),
            task(2004, runtime=90 * SECOND),
        ],
    )
    some = members(kernel, 2001)
    some.begin()
    kernel.ended_ns = 3 * SECOND
    assert some.cpu_seconds == 6.0
    some.end()
    kernel.ended_ns = 30 * SECOND
    assert some.cpu_seconds == 6.0


def test_the_end_waits_for_what_has_ended_and_is_not_accounted_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel([task(2001)], [task(2001)], [task(2001)], [])
    some = members(kernel, 2001)
    some.begin()

    def free(seconds: float) -> None:
        kernel.wanted.clear()
        kernel.ended_ns = 2 * SECOND

    monkeypatch.setattr(time, "sleep", free)
    some.end()
    assert some.cpu_seconds == 2.0
    assert some.edge_s > members_module.EDGE_S


class WithoutIterator(Kernel):
    """bcc's, which cannot run programs on tasks."""

    def snapshot(self) -> Any:
        return None


@pytest.mark.parametrize("only", [Only.PROCESSES, Only.THREADS])
def test_without_an_iterator_proc_says_it(only: Only) -> None:
    kernel = WithoutIterator([])
    some = Members(kernel, [os.getpid()], only)  # type: ignore[arg-type]
    assert os.getpid() in some.pids
    assert os.getpid() in kernel.wanted
    some.begin()
    sum(range(20_000_000))
    some.end()
    assert 0.05 < some.cpu_seconds < 60
