"""What stands for BPF maps in tests: memory for tables, the map of processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import PROCESS_ENTRY, UNWIND_RULE
from ebprof.bpf.maps import MapError
from ebprof.bpf.processes import Told
from ebprof.unwind.lists import MappingLists
from ebprof.unwind.memory import Shards, Words
from ebprof.unwind.objects import ObjectStore
from ebprof.unwind.processes import ProcessStore
from ebprof.unwind.room import Room
from ebprof.unwind.tables import TableStore
from ebprof.walls import Walls


@dataclass(slots=True)
class FakeShards:
    """Makes at most so many shards.

    made: those that were made. waits: how often BPF programs were waited for; on_wait: what they
    do meanwhile.
    """

    limit: int = lib.MAX_SHARDS
    made: list[Words] = field(default_factory=list)
    waits: int = 0
    on_wait: Callable[[], None] = lambda: None

    def new_shard(self) -> Words:
        if len(self.made) == self.limit:
            raise MapError("cannot create a map")
        self.made.append(np.zeros(lib.SHARD_WORDS, np.uint32))
        return self.made[-1]

    def wait(self) -> None:
        self.waits += 1
        self.on_wait()


class FakeMap(dict[int, NDArray[Any]]):
    """The BPF map of processes; `room` bounds it."""

    room = 32768

    def tell(self, pid: int, entry: NDArray[Any], known_until_ns: int) -> Told:
        if pid not in self and len(self) >= self.room:
            raise MapError("cannot write to map processes: Argument list too long")
        told = entry.copy()
        if pid in self and self[pid]["outdated"][0] > known_until_ns:
            told["outdated"] = self[pid]["outdated"]
        self[pid] = told
        return Told.OUTDATED if told["outdated"][0] else Told.TRUE

    def mark(self, pid: int, entry: NDArray[Any]) -> Told:
        told = entry.copy()
        told["outdated"] = 1
        self[pid] = told
        return Told.OUTDATED

    def delete(self, pid: int) -> None:
        self.pop(pid, None)

    def unchanged_since(self, time_ns: int) -> set[int]:
        return {pid for pid, one in self.items() if one["mapped"][0] <= time_ns}

    def find(self, pid: int) -> NDArray[Any] | None:
        return self.get(pid)

    def read(self) -> tuple[NDArray[np.uint32], NDArray[Any]]:
        entries = np.concatenate([np.zeros(0, PROCESS_ENTRY), *self.values()])
        return np.fromiter(self, np.uint32, len(self)), entries


def table_store(limit: int = lib.MAX_SHARDS, rules: int = lib.MAX_RULES) -> TableStore:
    """A store over memory of its own."""
    return TableStore(Shards(FakeShards()), np.zeros(rules, UNWIND_RULE), limit)


@dataclass
class Reported:
    """All that happened up to a time is known."""

    time_ns: int = 0

    def until_ns(self) -> int:
        return self.time_ns


class Stores:
    """Objects and processes over memory. shards: there can be so many; options: of the objects."""

    def __init__(
        self, shards: int = lib.MAX_SHARDS, walls: Walls | None = None, **options: Any
    ) -> None:
        self.source = FakeShards(shards)
        self.shards = Shards(self.source)
        self.tables = TableStore(self.shards, np.zeros(lib.MAX_RULES, UNWIND_RULE))
        self.map = FakeMap()
        self.lists = MappingLists(self.map, self.shards)
        self.objects = ObjectStore(Room(self.tables, self.lists), walls=walls, **options)
        self.reported = Reported()
        self.processes = ProcessStore(
            self.map, self.lists, self.objects, walls, self.reported.until_ns
        )


def room(limit: int = lib.MAX_SHARDS) -> Room:
    """Room for tables in memory of its own, to which no process has a way."""
    return Room(table_store(limit), MappingLists(FakeMap(), Shards(FakeShards())))
