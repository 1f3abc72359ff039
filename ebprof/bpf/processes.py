"""The BPF map of processes, which BPF programs write to at the same time."""

from __future__ import annotations

import time
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import MARK_COUNTS, PROCESS_ENTRY
from ebprof.bpf.maps import BpfMap
from ebprof.bpf.object import BpfObject

_PIDS = np.dtype(np.uint32)


class Told(Enum):
    """What came of setting an entry."""

    TRUE = "samples are unwound by it"
    UNSURE = "so they are, but it may be out of date: the process has mapped something since"
    OUTDATED = "it is out of date, and marked so: samples are sent to user space"


class ProcessEntries:
    """From pid to PROCESS_ENTRY[1]. BPF programs mark entries; see outdated.bpf.h.

    are_watched: they do so where a process maps something.
    """

    def __init__(self, made: BpfObject, *, are_watched: bool) -> None:
        self._are_watched = are_watched
        self._map: BpfMap = made.map("processes")
        at = made.variable_offset(".bss", "marks")
        marks = made.variables(".bss")[at:][: MARK_COUNTS.itemsize].view(MARK_COUNTS)[0]
        self._begun, self._done = marks["begun"], marks["done"]

    def tell(self, pid: int, entry: NDArray[Any], known_until_ns: int) -> Told:
        """Set an entry that was true at a time (CLOCK_MONOTONIC); raises MapError when it is full.

        What BPF programs noticed later than that stays noted.
        """
        slot = pid % lib.MARK_SLOTS
        done = int(self._done[slot])
        given = self.find(pid)
        told = entry.copy()
        if given is not None:
            told["mapped"] = given["mapped"]
            told["outdated"] = np.where(given["outdated"] > known_until_ns, given["outdated"], 0)
        self._map.update(pid, told)
        if int(self._begun[slot]) != done:  # one was marked at the same time: perhaps this
            return self.mark(pid, told)
        if told["outdated"][0]:
            return Told.OUTDATED
        is_sure = given is not None and given["mapped"][0] <= known_until_ns
        return Told.TRUE if is_sure else Told.UNSURE

    def mark(self, pid: int, entry: NDArray[Any]) -> Told:
        """Set an entry that is out of date by now."""
        told = entry.copy()
        told["outdated"] = told["mapped"] = time.monotonic_ns()
        self._map.update(pid, told)
        return Told.OUTDATED

    def find(self, pid: int) -> NDArray[Any] | None:
        """The entry of a process; None if there is none."""
        return self._map.find(pid, PROCESS_ENTRY)

    def delete(self, pid: int) -> None:
        """Remove an entry; one that is not there is fine."""
        self._map.delete(pid)

    def unchanged_since(self, time_ns: int) -> set[int]:
        """Processes that were seen to map or execute nothing since a time (CLOCK_MONOTONIC); what
        they map at addresses of their own choice is not seen.
        """
        if not self._are_watched:
            return set()
        pids, entries = self.read()
        unchanged = (entries["mapped"] <= time_ns) & (entries["outdated"] == 0)
        return set(pids[unchanged].tolist())

    def read(self) -> tuple[NDArray[np.uint32], NDArray[Any]]:
        """All entries: pids uint32[n], PROCESS_ENTRY[n]."""
        return self._map.read(_PIDS, PROCESS_ENTRY)
