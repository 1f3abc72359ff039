"""What BPF programs know of processes: lists of executable mappings, kept up to date."""

from __future__ import annotations

import os
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import MAPPING_ENTRY, PROCESS_ENTRY
from ebprof.errors import NoTargetError
from ebprof.procfs.maps import MapsEntry, read_maps
from ebprof.unwind.objects import ObjectStore, UnwindObject
from ebprof.unwind.tables import Place, TableMemory

GRACE_SECONDS = 0.5
"""How long a list that was replaced stays: far longer than any BPF program runs."""

_MASK = 2**64 - 1

Row = tuple[int, ...]
"""A MAPPING_ENTRY as plain numbers."""


class ProcessMap(Protocol):
    """The BPF map from pid to PROCESS_ENTRY."""

    def update(self, key: int, value: NDArray[Any]) -> None: ...
    def delete(self, key: int) -> None: ...
    def find(self, key: int, dtype: np.dtype[Any]) -> NDArray[Any] | None: ...


@dataclass(slots=True)
class _MappingList:
    """A list in table memory. A forked child uses its parent's until it changes."""

    place: Place
    count: int
    users: int = 1


class ProcessStore:
    """Processes whose mappings BPF programs know."""

    def __init__(self, processes: ProcessMap, memory: TableMemory, objects: ObjectStore) -> None:
        self._processes = processes
        self._memory = memory
        self._objects = objects
        self._lists: dict[int, _MappingList] = {}
        self._parents: dict[int, int] = {}
        self._settled: set[int] = set()
        self._told: dict[int, int] = {}
        self._retired: list[tuple[float, Place]] = []
        self.overflowed = 0

    def __contains__(self, pid: int) -> bool:
        return pid in self._lists

    def pids(self) -> list[int]:
        """All processes that are known."""
        return list(self._lists)

    def size(self, pid: int) -> int:
        """Entries in a process's list of mappings, 0 when it is not known."""
        known = self._lists.get(pid)
        return known.count if known else 0

    def load(self, pid: int) -> None:
        """Read a process's mappings and tell the BPF programs; again whenever they changed.

        Raises NoTargetError when there is no such process, or only what is left of it.
        """
        maps = read_maps(pid)
        if not maps:
            raise NoTargetError(f"process {pid} has ended")
        rows = [row for entry in maps for row in _pieces(entry, self._objects.of(pid, entry))]
        if rows != self._rows(pid):
            self._replace(pid, rows)

    def extend(self, pid: int, maps: list[MapsEntry], *, is_current: bool) -> None:
        """Put mappings, in the order they were made, over what is known of a process.

        is_current: it has not exited or executed another program since; otherwise its files are
        looked up by name, in its parent's root and in ours.
        """
        rows = self._rows(pid)
        owner = pid if is_current else None
        for entry in maps:
            found = self._named_object(owner, self._parents.get(pid), entry)
            _overlay(rows, list(_pieces(entry, found)))
        self._replace(pid, rows, is_current=is_current)

    def entry(self, pid: int) -> NDArray[Any]:
        """What BPF programs are told of a process: PROCESS_ENTRY[1], no mappings if unknown."""
        value = np.zeros(1, PROCESS_ENTRY)
        known = self._lists.get(pid)
        if known:
            value[["at", "count", "shard"]] = (known.place.at, known.count, known.place.shard)
        value["settled"] = pid in self._settled
        return value

    def missed(self, pid: int, time_ns: int) -> None:
        """A sample did not find a process that is known here: tell the BPF programs again.

        Unless it was told since then; an exec that we knew of makes them forget it, or a fork
        before its parent was known.
        """
        if pid in self._lists and self._told.get(pid, 0) < time_ns:
            self._tell(pid)

    def settle(self, pid: int) -> None:
        """Samples at unknown addresses of a process are not deferred until its list changes."""
        if pid not in self._settled:
            self._settled.add(pid)
            self._tell(pid)

    def is_settled(self, pid: int) -> bool:
        """Whether `settle` holds."""
        return pid in self._settled

    def forked(self, pid: int, parent: int) -> None:
        """A child came into being, and begins with its parent's mappings."""
        self._parents[pid] = parent
        shared = self._lists.get(parent)
        if shared is None or pid in self._lists:
            return
        shared.users += 1
        self._lists[pid] = shared
        given = self._processes.find(pid, PROCESS_ENTRY)
        if given is not None and given != self.entry(pid):
            self._tell(pid)  # the BPF side gave it a list that its parent no longer has

    def executed(self, pid: int) -> None:
        """A process replaced its address space."""
        if pid in self._lists or pid in self._settled:
            self._processes.delete(pid)
            self._told.pop(pid, None)
            self._settled.discard(pid)
            self._forget(pid)

    def exited(self, pid: int) -> None:
        """A process is gone."""
        self.executed(pid)
        self._parents.pop(pid, None)

    def _rows(self, pid: int) -> list[Row]:
        known = self._lists.get(pid)
        if known is None:
            return []
        words = self._memory.words(known.place)[: known.count * lib.MAPPING_WORDS]
        rows: list[Row] = words.view(MAPPING_ENTRY).tolist()
        return rows

    def _replace(self, pid: int, rows: list[Row], *, is_current: bool = True) -> None:
        """A list is written before its entry; what it replaces may still be read for a while."""
        place = self._memory.allocate(max(1, len(rows)) * lib.MAPPING_WORDS)
        if place is None or len(rows) > lib.MAX_MAPPINGS:
            if place:
                self._memory.free(place)
            self.overflowed += 1
            return
        raw = np.array(rows, MAPPING_ENTRY).view(np.uint32)
        self._memory.words(place)[: len(raw)] = raw
        self._forget(pid)
        self._lists[pid] = _MappingList(place, len(rows))
        self._settled.discard(pid)
        if is_current:
            self._tell(pid)
        self._sweep()

    def _tell(self, pid: int) -> None:
        self._told[pid] = time.monotonic_ns()
        self._processes.update(pid, self.entry(pid))

    def _forget(self, pid: int) -> None:
        known = self._lists.pop(pid, None)
        if known is None:
            return
        known.users -= 1
        if known.users == 0:
            self._retired.append((time.monotonic() + GRACE_SECONDS, known.place))

    def _sweep(self) -> None:
        now = time.monotonic()
        while self._retired and self._retired[0][0] < now:
            self._memory.free(self._retired.pop(0)[1])

    def _named_object(
        self, pid: int | None, parent: int | None, entry: MapsEntry
    ) -> UnwindObject | None:
        if pid is not None:
            with suppress(NoTargetError):
                return self._objects.of(pid, entry)
        return self._objects.by_name([parent, os.getpid()] if parent else [os.getpid()], entry)


def _overlay(rows: list[Row], above: list[Row]) -> None:
    """Put the pieces of a new mapping into sorted rows, in place of what they cover."""
    start, end = above[0][0], above[-1][1]
    first = bisect_right(rows, start, key=itemgetter(1))
    last = bisect_left(rows, end, key=itemgetter(0))
    covered = rows[first:last]
    before = [(row[0], start, *row[2:]) for row in covered[:1] if row[0] < start]
    after = [(end, *row[1:]) for row in covered[-1:] if row[1] > end]
    rows[first:last] = [*before, *above, *after]


def _pieces(entry: MapsEntry, known: UnwindObject | None) -> Iterator[Row]:
    """A mapping as MAPPING_ENTRY rows: one for each segment of its table, and what is between."""
    first = None if known is None else known.file.image.code_address(entry.offset)
    if known is None or first is None:
        yield (entry.start, entry.end, 0, 0, 0, 0, 0, lib.MAPPING_NO_TABLE)
        return
    bias = entry.start - first
    delta = ((known.number << lib.OBJECT_SHIFT) - bias) & _MASK
    kind = lib.MAPPING_BAD_TABLE if known.failure else lib.MAPPING_NO_TABLE
    at = entry.start
    for segment in known.table.segments if known.table else ():
        start = max(at, segment.start + bias)
        end = min(entry.end, segment.limit + bias)
        if start >= end:
            continue
        if at < start:
            yield (at, start, 0, delta, 0, 0, 0, kind)
        place = segment.place
        base = (segment.start + bias) & _MASK
        yield (start, end, base, delta, place.at, place.shard, segment.shift, lib.MAPPING_TABLE)
        at = end
    if at < entry.end:
        yield (at, entry.end, 0, delta, 0, 0, 0, kind)
