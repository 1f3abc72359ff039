"""Lists of mappings in table memory, by which BPF programs find a process's tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import MAPPING_ENTRY
from ebprof.bpf.processes import Told
from ebprof.unwind.mappings import Row, object_number
from ebprof.unwind.memory import Heap, Place, Shards

MAX_LIST_SHARDS = 64
"""For lists of mappings: 1.6 million of them."""

MOST_SEARCHES = 8
"""Of the map of processes, for those that still have a list which was replaced."""


class ProcessMap(Protocol):
    """The BPF map from pid to PROCESS_ENTRY[1]; see bpf/processes.py."""

    def tell(self, pid: int, entry: NDArray[Any], known_until_ns: int) -> Told: ...
    def mark(self, pid: int, entry: NDArray[Any]) -> Told: ...
    def find(self, pid: int) -> NDArray[Any] | None: ...
    def delete(self, pid: int) -> None: ...
    def unchanged_since(self, time_ns: int) -> set[int]: ...
    def read(self) -> tuple[NDArray[np.uint32], NDArray[Any]]: ...


@dataclass(slots=True)
class MappingList:
    """A list in table memory. A forked child uses its parent's until it changes.

    objects: numbers of those that it leads to. users: processes, and who is about to use it.
    """

    place: Place
    count: int
    objects: frozenset[int]
    users: int = 1


class MappingLists:
    """Makes lists, and frees those that were replaced once no BPF program reads them."""

    def __init__(self, processes: ProcessMap, shards: Shards) -> None:
        self._map = processes
        self._shards = shards
        self._heap = Heap(shards, MAX_LIST_SHARDS)
        self._replaced: list[Place] = []

    def make(self, rows: list[Row]) -> MappingList | None:
        """A list that is used once, by the caller; None when there is no room."""
        place = self._heap.allocate(max(1, len(rows)) * lib.MAPPING_WORDS)
        if place is None:
            return None
        raw = np.array(rows, MAPPING_ENTRY).view(np.uint32)
        self._shards.words(place)[: len(raw)] = raw
        return MappingList(place, len(rows), frozenset(map(object_number, rows)) - {0})

    def rows(self, known: MappingList) -> list[Row]:
        """What a list says."""
        words = self._shards.words(known.place)[: known.count * lib.MAPPING_WORDS]
        rows: list[Row] = words.view(MAPPING_ENTRY).tolist()
        return rows

    def replace(self, known: MappingList) -> None:
        """Nobody is told of a list any more: `take_back` may free it."""
        self._replaced.append(known.place)

    def discard(self, known: MappingList) -> None:
        """Free a list of which BPF programs were never told."""
        self._heap.free(known.place)

    @property
    def has_replaced(self) -> bool:
        """Whether there are lists that were replaced and are not free yet."""
        return bool(self._replaced)

    def take_back(self) -> bool:
        """Free the lists that were replaced; waits for BPF programs. False when one is in use.

        A fork hands a list on in the kernel, also one that is being replaced. So the map of
        processes is searched after the programs that may have written to it have ended; and where
        one had to be corrected, until two searches in a row find nothing.
        """
        places, self._replaced = self._replaced, []
        clean = 1
        for _ in range(MOST_SEARCHES):
            self._shards.wait()
            clean = 2 if self._correct(places) else clean - 1
            if not clean:
                break
        else:
            self._replaced += places
            return False
        for place in places:
            self._heap.free(place)
        return True

    def _correct(self, places: Iterable[Place]) -> int:
        """Have BPF programs forget processes that have one of these lists; returns how many.

        The next sample of such a process is unwound in user space, which tells them anew.
        """
        wanted = np.array([place.shard << 32 | place.at for place in places], np.uint64)
        pids, entries = self._map.read()
        has_one = np.isin(
            entries["shard"].astype(np.uint64) << np.uint64(32) | entries["at"], wanted
        )
        outdated = pids[has_one & (entries["count"] > 0)].tolist()
        for pid in outdated:
            self._map.delete(pid)
        return len(outdated)
