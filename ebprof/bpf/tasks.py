"""The tasks of a target as BPF programs know them (target.bpf.h), by the kernel's own numbers."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import TASK_RECORD
from ebprof.bpf.object import BpfObject

_NUMBER, _START = np.dtype(np.uint32), np.dtype(np.uint64)


class Only(Enum):
    """Which tasks are sampled."""

    ALL = "all"
    PROCESSES = "processes, and what descends from them"
    PROCESSES_ALONE = "processes, and nothing that they start"
    THREADS = "threads, and nothing that they create"

    @property
    def is_processes(self) -> bool:
        """Whether whole processes are sampled."""
        return self in (Only.PROCESSES, Only.PROCESSES_ALONE)


class TargetTasks:
    """Processes or threads that are sampled; for `Only.PROCESSES` the kernel follows forks.

    set_up: before the object is loaded.
    """

    def __init__(self, made: BpfObject, only: Only) -> None:
        self._map = made.map("wanted_tids" if only is Only.THREADS else "wanted_pids")
        made.attach("on_free")
        if only is Only.PROCESSES:
            made.attach("on_fork")
        at = made.variable_offset(".bss", "ended_ns")
        self._ended = made.variables(".bss")[at : at + 8].view(np.uint64)
        self._iteration = made.iterate("on_task") if made.iterates_tasks else None

    @staticmethod
    def set_up(made: BpfObject, only: Only) -> None:
        """Say to an object that is not loaded yet who is sampled."""
        made.set_constants(filter_pids=only.is_processes, filter_tids=only is Only.THREADS)
        if not only.is_processes:
            made.set_max_entries("wanted_pids", 1)
        if only is not Only.THREADS:
            made.set_max_entries("wanted_tids", 1)
        if only is Only.ALL:
            made.skip_program("on_free")
        if only is Only.ALL or not made.iterates_tasks:
            made.skip_program("on_task")
        if only in (Only.THREADS, Only.PROCESSES_ALONE):
            made.skip_program("on_fork")

    def snapshot(self) -> NDArray[Any] | None:
        """All tasks of our PID namespace: TASK_RECORD[n]; None where no program can see them.

        Raises UnsupportedError when the kernel fails.
        """
        if self._iteration is None:
            return None
        return np.frombuffer(self._iteration.run(), TASK_RECORD)

    def add(self, numbers: NDArray[np.uint32], starts: NDArray[np.uint64]) -> None:
        """Sample these tasks too. starts: CLOCK_BOOTTIME, ns; 0: not known. Raises MapError."""
        if len(numbers):
            self._map.update_batch(numbers.astype(_NUMBER), starts.astype(_START))

    def numbers(self) -> NDArray[np.uint32]:
        """The tasks that are sampled now."""
        return self._map.read(_NUMBER, _START)[0]

    @property
    def ended_ns(self) -> int:
        """CPU time of those that were freed, since the start of each."""
        return int(self._ended[0])
