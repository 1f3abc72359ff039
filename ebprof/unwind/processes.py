"""What BPF programs know of processes: lists of executable mappings, kept up to date."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import PROCESS_ENTRY
from ebprof.bpf.processes import Told
from ebprof.errors import EbprofError, NoTargetError
from ebprof.procfs.maps import MapsEntry, read_maps
from ebprof.unwind import mappings
from ebprof.unwind.lists import MappingList, MappingLists, ProcessMap
from ebprof.unwind.mappings import Gap, Row
from ebprof.unwind.object import UnwindObject
from ebprof.unwind.objects import ObjectStore
from ebprof.walls import Walls

MAX_MAPPINGS: int = lib.MAX_MAPPINGS


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a process had mapped at a time (CLOCK_MONOTONIC, ns)."""

    at_ns: int
    maps: list[MapsEntry]


@dataclass(slots=True)
class _Process:
    """list: None while nothing is known of its mappings. reading: is to become its list. told_ns:
    when BPF programs were told. watched_ns: since when they take note of what it maps.
    """

    list: MappingList | None = None
    reading: _Reading | None = None
    parent: int = 0
    is_settled: bool = False
    told_ns: int = 0
    watched_ns: int = 0


class ProcessStore:
    """Processes whose mappings BPF programs know, or that came into being while we watched.

    known_until_ns: gives the time (CLOCK_MONOTONIC) up to which all that was reported is taken in.
    cut: lists that were cut at MAX_MAPPINGS, or for which there was no room at all. left_out:
    times that the BPF map of processes was full. walls: stand around what /proc says of each.
    """

    def __init__(
        self,
        processes: ProcessMap,
        lists: MappingLists,
        objects: ObjectStore,
        walls: Walls | None = None,
        known_until_ns: Callable[[], int] = lambda: 0,
    ) -> None:
        self._map = processes
        self._lists = lists
        self._objects = objects
        self._walls = walls or Walls()
        self._known_until_ns = known_until_ns
        self._processes: dict[int, _Process] = {}
        self.cut = 0
        self.left_out = 0

    def __contains__(self, pid: int) -> bool:
        return self._list(pid) is not None

    def pids(self) -> list[int]:
        """Processes whose mappings are known."""
        return [pid for pid, process in self._processes.items() if process.list]

    def all_pids(self) -> set[int]:
        """Processes that anything is known of, here or by the BPF programs."""
        return {*self._map.read()[0].tolist(), *self._processes}

    def size(self, pid: int) -> int:
        """Entries in a process's list of mappings, 0 when it is not known."""
        known = self._list(pid)
        return known.count if known else 0

    def load(self, pid: int) -> None:
        """Read a process's mappings and tell the BPF programs; again whenever they changed.

        Raises NoTargetError when there is no such process, or only what is left of it.
        """
        self.read(pid)
        self.adopt(pid)

    def read(self, pid: int) -> int:
        """Read a process's mappings, and open its files; `adopt` makes them what is known of it.

        Returns when they were read, 0 if they cannot be. Raises NoTargetError as `load` does.
        """
        before = time.monotonic_ns()
        with self._walls.around(f"/proc/{pid}/maps", EbprofError):
            maps = read_maps(pid)
            if not maps:
                raise NoTargetError(f"process {pid} has ended")
            for one in maps:
                self._objects.of(pid, one)
            self._processes.setdefault(pid, _Process()).reading = _Reading(before, maps)
            return before
        return 0

    def adopt(self, pid: int) -> None:
        """Let a process have mapped what was last read."""
        process = self._processes.get(pid)
        reading = process.reading if process else None
        if not (process and reading):
            return
        process.reading = None
        with self._walls.around(f"/proc/{pid}/maps"):
            found = ((one, self._object_of(pid, one)) for one in reading.maps)
            rows = self._cut([row for one, known in found for row in mappings.pieces(one, known)])
            if rows != self._rows(pid):
                self._replace(pid, rows, known_until_ns=reading.at_ns)

    def extend(self, pid: int, maps: Iterable[MapsEntry | Gap], *, is_current: bool) -> None:
        """Put mappings, in the order they came and went, over what is known of a process.

        is_current: it has not exited or executed another program since; otherwise its files are
        looked up by name, in its parent's root and in ours.
        """
        rows = self._rows(pid)
        owner = pid if is_current else None
        known = self._processes.get(pid)
        parent = known.parent if known else 0
        for entry in maps:
            if isinstance(entry, Gap):
                mappings.cut_out(rows, entry)
            else:
                found = self._named_object(owner, parent, entry)
                mappings.overlay(rows, list(mappings.pieces(entry, found)))
        self._replace(pid, self._cut(rows), is_current=is_current)

    def restore(self, numbers: Iterable[int]) -> bool:
        """Have tables of these objects compiled that are not in memory, and put into all lists.

        False when there are none.
        """
        found = [self._objects.numbered(number) for number in numbers]
        restored = {one.number for one in found if one and self._objects.restore(one)}
        self.update_objects(restored)
        return bool(restored)

    def complete(self, pid: int) -> None:
        """Have the tables of all that a process has mapped compiled."""
        known = self._list(pid)
        if known:
            self.restore(known.objects)

    def update_objects(self, numbers: set[int]) -> None:
        """The tables of these objects are elsewhere now, or gone: put that into all lists."""
        if not numbers:
            return
        pids: dict[int, list[int]] = defaultdict(list)  # by the list that they share
        for pid, process in self._processes.items():
            if process.list and process.list.objects & numbers:
                pids[id(process.list)].append(pid)
        for users in pids.values():
            self._respread(users)

    def entry(self, pid: int) -> NDArray[Any]:
        """What BPF programs are told of a process: PROCESS_ENTRY[1], no mappings if unknown."""
        value = _entry(self._list(pid))
        value["settled"] = self.is_settled(pid)
        return value

    @contextmanager
    def entry_without(self, pid: int, gaps: Sequence[Gap]) -> Iterator[NDArray[Any]]:
        """What `entry` gives, but nothing is known of what is mapped in the gaps."""
        rows = self._rows(pid)
        for gap in gaps:
            mappings.cut_out(rows, gap)
        made = self._lists.make(rows) if rows else None
        try:
            yield _entry(made)
        finally:
            if made:
                self._lists.discard(made)

    def unchanged_since(self, time_ns: int) -> frozenset[int]:
        """Processes that BPF programs have watched since a time, and saw nothing change in."""
        found = self._map.unchanged_since(time_ns)
        known = ((pid, self._processes.get(pid)) for pid in found)
        return frozenset(pid for pid, one in known if one and 0 < one.watched_ns <= time_ns)

    def missed(self, pid: int, time_ns: int) -> None:
        """A sample did not find a process that is known here: tell the BPF programs again.

        Unless it was told since then; an exec that we knew of makes them forget it, or a fork
        before its parent was known.
        """
        process = self._processes.get(pid)
        if process and process.list and process.told_ns < time_ns:
            self._tell(pid)

    def settle(self, pid: int) -> None:
        """Samples at unknown addresses of a process are not deferred until its list changes."""
        process = self._processes.setdefault(pid, _Process())
        if not process.is_settled:
            process.is_settled = True
            self._tell(pid)

    def is_settled(self, pid: int) -> bool:
        """Whether `settle` holds."""
        process = self._processes.get(pid)
        return bool(process and process.is_settled)

    def forked(self, pid: int, parent: int, time_ns: int) -> None:
        """A child came into being, and begins with its parent's mappings.

        What is known of it from before belongs to another process, whose end was not reported.
        """
        process = self._processes.get(pid)
        if process and process.told_ns < time_ns:
            self._forget(pid)
            process = None
        if process is None:
            process = self._processes[pid] = _Process()
        process.parent = parent
        shared = self._list(parent)
        if shared is None or process.list:
            return
        self._set_list(pid, shared)
        given = self._map.find(pid)
        if given is not None:
            process.told_ns = process.watched_ns = time_ns
            if given != self.entry(pid):
                self._tell(pid)  # the BPF side gave it a list that its parent no longer has

    def executed(self, pid: int) -> None:
        """A process replaced its address space."""
        process = self._processes.get(pid)
        if process is not None:
            old, process.list = process.list, None
            process.reading = None
            process.is_settled, process.told_ns, process.watched_ns = False, 0, 0
            if self._map.find(pid) is not None:
                self._map.mark(pid, self.entry(pid))
            if old:
                self._leave(old)

    def exited(self, pid: int) -> None:
        """A process is gone."""
        if pid in self._processes:
            self._forget(pid)
        else:
            self._map.delete(pid)

    def _list(self, pid: int) -> MappingList | None:
        process = self._processes.get(pid)
        return process.list if process else None

    def _rows(self, pid: int) -> list[Row]:
        known = self._list(pid)
        return self._lists.rows(known) if known else []

    def _cut(self, rows: list[Row]) -> list[Row]:
        if len(rows) <= MAX_MAPPINGS:
            return rows
        self.cut += 1
        return mappings.most_useful(rows, MAX_MAPPINGS)

    def _replace(
        self, pid: int, rows: list[Row], *, is_current: bool = True, known_until_ns: int = 0
    ) -> None:
        made = self._make_list(rows)
        if made is None:
            return
        self._processes.setdefault(pid, _Process()).is_settled = False
        self._set_list(pid, made)
        if is_current:
            self._tell(pid, known_until_ns)
        self._leave(made)
        self._objects.settle()

    def _make_list(self, rows: list[Row]) -> MappingList | None:
        """A list that is used once, by the caller; None when there is no room."""
        made = self._lists.make(rows)
        if made is None:
            self.cut += 1
        else:
            self._objects.hold(made.objects)
        return made

    def _respread(self, pids: list[int]) -> None:
        """Make the list that these processes share anew, by the tables that its objects have."""
        rows = mappings.respread(self._rows(pids[0]), self._objects.numbered)
        new = self._make_list(rows)
        for pid in pids:
            self._set_list(pid, new)
            if self._processes[pid].told_ns:
                self._tell(pid)
        if new:
            self._leave(new)

    def _set_list(self, pid: int, new: MappingList | None) -> None:
        process = self._processes.setdefault(pid, _Process())
        old, process.list = process.list, new
        if new:
            new.users += 1
        if old:
            self._leave(old)

    def _leave(self, known: MappingList) -> None:
        known.users -= 1
        if known.users == 0:
            self._lists.replace(known)
            self._objects.release(known.objects)

    def _tell(self, pid: int, known_until_ns: int = 0) -> None:
        now = time.monotonic_ns()
        process = self._processes[pid]
        try:
            if self._tell_truth(pid, max(known_until_ns, self._known_until_ns())):
                process.told_ns = now
            process.watched_ns = process.watched_ns or time.monotonic_ns()
        except EbprofError:  # full: samples are deferred, and unwound by what is known here
            self.left_out += 1

    def _tell_truth(self, pid: int, known_until_ns: int) -> bool:
        """False when something happened to the process since, of which we are going to hear."""
        told = self._map.tell(pid, self.entry(pid), known_until_ns)
        if told is Told.UNSURE and self._is_contradicted(pid):
            told = self._map.mark(pid, self.entry(pid))
        return told is not Told.OUTDATED

    def _is_contradicted(self, pid: int) -> bool:
        """Whether other code is by now where a process is known to have some."""
        with self._walls.around(f"/proc/{pid}/maps"), suppress(EbprofError):
            maps = read_maps(pid)
            now = [row for one in maps for row in mappings.pieces(one, self._objects.known(one))]
            return mappings.contradict(self._rows(pid), now)
        return False

    def _forget(self, pid: int) -> None:
        self._map.delete(pid)
        process = self._processes.pop(pid)
        if process.list:
            self._leave(process.list)

    def _object_of(self, pid: int, entry: MapsEntry) -> UnwindObject | None:
        with suppress(NoTargetError):
            return self._objects.of(pid, entry)
        return None

    def _named_object(self, pid: int | None, parent: int, entry: MapsEntry) -> UnwindObject | None:
        found = None if pid is None else self._object_of(pid, entry)
        roots = [one for one in (pid, parent, os.getpid()) if one]
        return found or self._objects.by_name(roots, entry)


def _entry(known: MappingList | None) -> NDArray[Any]:
    value = np.zeros(1, PROCESS_ENTRY)
    if known:
        value[["at", "count", "shard"]] = (known.place.at, known.count, known.place.shard)
    return value
