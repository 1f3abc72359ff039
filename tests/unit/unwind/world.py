"""Stores over made-up tables, with BPF programs that look at them at the worst moments."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.abi import MAPPING_ENTRY, UNWIND_RULE
from ebprof.bpf.processes import Told
from ebprof.procfs.maps import MapsEntry
from ebprof.unwind import objects as objects_module
from ebprof.unwind import processes as processes_module
from ebprof.unwind import upkeep as upkeep_module
from ebprof.unwind.compile import FrameCounters, UnwindRows
from ebprof.unwind.lists import MappingLists
from ebprof.unwind.memory import Shards
from ebprof.unwind.object import UnwindObject
from ebprof.unwind.object_rows import ObjectRows
from ebprof.unwind.objects import ObjectStore
from ebprof.unwind.processes import ProcessStore
from ebprof.unwind.room import Room
from ebprof.unwind.tables import TableStore
from ebprof.unwind.upkeep import Upkeep
from tests.unit.unwind.fakes import FakeMap, FakeShards

PID = 1 << 22  # no process has this number, or a higher one
BASE = 0x7F00_0000_0000
DISTANCE = 1 << 24
SIZE = 1 << 23
COUNTERS = FrameCounters(0, 0, 0, 0, 0, 0, 0, 0, False)
ROW_BYTES = 16
WORDS_A_ROW = 1.0625
"""Of a table with a row each 16 bytes, its index included."""

Seen = dict[tuple[int, int], bytes]


@dataclass
class Clock:
    """Time as the stores see it."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def monotonic_ns(self) -> int:
        return int(self.now * 1e9)


@dataclass
class File:
    """An object file whose table has a rule of its own, by which it is known.

    start: its first address; cfa_offset: the rule's.
    """

    path: Path
    entry: MapsEntry
    rows: int
    cfa_offset: int
    start: int = 0x1000


@dataclass
class WatchedMap(FakeMap):
    """Has BPF programs look around before each change."""

    world: Any = None

    def tell(self, pid: int, entry: NDArray[Any], known_until_ns: int) -> Told:
        self.world.look()
        return super().tell(pid, entry, known_until_ns)

    def delete(self, pid: int) -> None:
        self.world.look()
        super().delete(pid)

    __hash__ = None  # type: ignore[assignment]


@dataclass
class World:
    """limit: shards for tables. library: a small object file, of which all files are copies.

    unwind_bytes: of each file. compiled: of which inodes tables were made.
    """

    monkeypatch: pytest.MonkeyPatch
    directory: Path
    library: Path
    limit: int = 2
    rules: int = lib.MAX_RULES
    unwind_bytes: int = 0
    compiled: list[int] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    sampled: set[int] = field(default_factory=set)
    used: set[int] = field(default_factory=set)
    alive: set[int] = field(default_factory=set)
    forgotten: set[int] = field(default_factory=set)
    dropped: list[UnwindObject] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    seen: Seen = field(default_factory=dict)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Clock()
        for module in (objects_module, processes_module, upkeep_module):
            self.monkeypatch.setattr(module, "time", self.clock)
        self.monkeypatch.setattr(objects_module, "frame_sections", lambda image: ())
        self.monkeypatch.setattr(objects_module, "object_rows", lambda image, _: self.made(image))
        self.source = FakeShards(on_wait=self.end_of_programs)
        self.shards = Shards(self.source)
        self.tables = TableStore(self.shards, np.zeros(self.rules, UNWIND_RULE), self.limit)
        self.map = WatchedMap(world=self)
        self.lists = MappingLists(self.map, self.shards)
        self.room = Room(self.tables, self.lists)
        self.objects = ObjectStore(self.room)
        self.processes = ProcessStore(self.map, self.lists, self.objects)
        self.upkeep = Upkeep(
            self.room,
            self.objects,
            self.processes,
            used=lambda: self.used,
            is_named=self.sampled.__contains__,
            known=self.processes.all_pids,
            alive=lambda: self.alive,
            forget=self.forget,
            drop=self.drop,
            release=self.released.append,
        )

    def file(self, rows: int = 100, rules: int = 1) -> File:
        """A new object file; `rules`: how many its table has beside its own."""
        number = len(self.files)
        path = self.directory / f"lib{number}.so"
        shutil.copy(self.library, path)
        info = path.stat()
        entry = MapsEntry(
            BASE + number * DISTANCE,
            BASE + number * DISTANCE + SIZE,
            0x1000,
            info.st_dev,
            info.st_ino,
            str(path),
            True,
            False,
        )
        self.files.append(File(path, entry, rows, 8 * (number + 1)))
        return self.files[-1]

    def made(self, image: Any) -> ObjectRows:
        """What stands for the rows of a file."""
        inode = os.fstat(image.fd).st_ino
        self.compiled.append(inode)
        file = next(one for one in self.files if one.entry.inode == inode)
        dictionary = np.zeros(3, UNWIND_RULE)
        dictionary[1]["cfa_kind"] = lib.CFA_UNSUPPORTED
        dictionary[2]["cfa_kind"], dictionary[2]["cfa_offset"] = lib.CFA_SP, file.cfa_offset
        offsets = np.arange(file.rows, dtype=np.uint32) * ROW_BYTES
        rules = np.full(file.rows, 2, np.uint16)
        rules[1::2] = 1
        rules[-1] = 0
        base = image.code_address(file.entry.offset)
        unwind = UnwindRows(base, offsets, rules, dictionary, COUNTERS)
        return ObjectRows(unwind, self.unwind_bytes)

    def start(self, pid: int, *files: File) -> None:
        """A process maps files, and samples meet all of them."""
        self.alive.add(pid)
        self.processes.extend(pid, [file.entry for file in files], is_current=True)
        self.processes.complete(pid)

    def object(self, file: File) -> UnwindObject:
        return next(one for one in self.objects.all() if one.file.path == str(file.path))

    def drop(self, known: UnwindObject) -> None:
        self.dropped.append(known)
        known.file.close()

    def forget(self, pids: Iterable[int]) -> None:
        for pid in pids:
            self.forgotten.add(pid)
            self.processes.exited(pid)

    def pass_time(self, seconds: float) -> None:
        """Time passes, and the upkeep has its turn."""
        self.clock.now += seconds
        self.upkeep.tend()

    # ---- what BPF programs see ----

    def rows(self, pid: int) -> NDArray[Any]:
        """A process's list of mappings: MAPPING_ENTRY[n]."""
        if pid not in self.map:
            return np.zeros(0, MAPPING_ENTRY)
        entry = self.map[pid][0]
        words = self.shards.shard(int(entry["shard"]))[int(entry["at"]) :]
        return words[: int(entry["count"]) * lib.MAPPING_WORDS].view(MAPPING_ENTRY)

    def unwinds(self, pid: int, file: File) -> int | str:
        """The CFA offset by which a process is unwound in a file, else why there is none."""
        address = file.entry.start + ROW_BYTES * 2
        rows = self.rows(pid)
        row = rows[(rows["start"] <= address) & (address < rows["end"])]
        if not len(row):
            return "unknown"
        kind = int(row["kind"][0])
        if kind != lib.MAPPING_TABLE:
            return {lib.MAPPING_ABSENT: "absent", lib.MAPPING_BAD_TABLE: "no room"}[kind]
        words = self.shards.shard(int(row["shard"][0]))[int(row["at"][0]) :]
        offset = address - int(row["base"][0])
        number = lib.segment_find(
            ffi.from_buffer("uint32_t[]", words), int(row["shift"][0]), offset
        )
        return int(self.tables.rules.rules[number]["cfa_offset"])

    def check(self) -> None:
        """Whatever has a table has its own."""
        for pid in self.map:
            for file in self.files:
                found = self.unwinds(pid, file)
                assert isinstance(found, str) or found == file.cfa_offset

    def look(self) -> None:
        """BPF programs begin to run, and read what they are told at this moment."""
        for one in self.objects.all():
            for segment in one.table.segments if one.table else ():
                self.sizes[segment.place.shard, segment.place.at] = segment.place.size
        for pid in self.map:
            entry = self.map[pid][0]
            rows = self.rows(pid)
            self.see(int(entry["shard"]), int(entry["at"]), len(rows) * lib.MAPPING_WORDS)
            for row in rows[rows["kind"] == lib.MAPPING_TABLE]:
                place = int(row["shard"]), int(row["at"])
                self.see(*place, self.sizes[place])

    def see(self, shard: int, at: int, size: int) -> None:
        self.seen.setdefault((shard, at), self.shards.shard(shard)[at : at + size].tobytes())

    def end_of_programs(self) -> None:
        """They end, and nothing that they read has changed meanwhile."""
        for (shard, at), words in self.seen.items():
            now = self.shards.shard(shard)[at : at + len(words) // 4]
            assert now.tobytes() == words, f"shard {shard}, word {at} was written while in use"
        self.seen.clear()
