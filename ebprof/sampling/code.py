"""What processes have mapped as code, and what it takes to unwind through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import FileIO
from typing import Any, Protocol

from numpy.typing import NDArray

from ebprof.elf import ObjectFile
from ebprof.sampling.jitted import Blocks, JittedCode
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.timeline import Timeline
from ebprof.sampling.tracker import Tracker
from ebprof.unwind.lists import MappingLists, ProcessMap
from ebprof.unwind.memory import Shards, ShardSource
from ebprof.unwind.objects import ObjectStore
from ebprof.unwind.processes import ProcessStore
from ebprof.unwind.replay import Replayer
from ebprof.unwind.room import Room
from ebprof.unwind.tables import TableStore
from ebprof.walls import Walls

PRELOAD_S = 0.5
"""For tables of processes that nobody asked for by name, before sampling begins."""


class UnwindMaps(Protocol):
    """Maps that BPF programs unwind by. rules: UNWIND_RULE[MAX_RULES]."""

    hash_seed: int
    rules: NDArray[Any]

    @property
    def processes(self) -> ProcessMap: ...
    @property
    def shards(self) -> ShardSource: ...
    @property
    def jitted(self) -> Blocks | None: ...


class Code:
    """Object files, their tables, who has them mapped where: one store each, over the same maps.

    timeline: says up to when the side band is read, and is relieved while a table is made.
    find_debug_file: opens the separate debug file of an object.
    """

    def __init__(
        self,
        maps: UnwindMaps,
        timeline: Timeline,
        options: RecordOptions,
        walls: Walls,
        find_debug_file: Callable[[ObjectFile], FileIO | None],
    ) -> None:
        use_tables = options.call_graph != "fp"
        shards = Shards(maps.shards)
        lists = MappingLists(maps.processes, shards)
        self.tables = TableStore(shards, maps.rules, options.table_memory)
        self.room = Room(self.tables, lists)
        self.objects = ObjectStore(
            self.room,
            use_tables=use_tables,
            pause=timeline.relieve,
            find_debug_file=find_debug_file,
            walls=walls,
        )
        self.processes = ProcessStore(
            maps.processes, lists, self.objects, walls, timeline.known_until_ns
        )
        self._preloads = options.preload
        self.tracker = Tracker(self.processes, walls)
        self.replayer = Replayer(
            shards,
            maps.rules,
            hash_seed=maps.hash_seed,
            use_tables=use_tables,
            use_frame_pointers=options.call_graph != "dwarf",
        )
        self.jitted = JittedCode(maps.jitted, walls) if maps.jitted else None

    def load(self, named: Iterable[int], others: Iterable[int]) -> None:
        """Make tables of processes that were named; of others, as many as time allows."""
        wanted = list(filter(self.tracker.has_memory, named))
        self.tracker.prefer(wanted)
        for pid in wanted:
            self.processes.load(pid)
            self.processes.complete(pid)
        self.tracker.load_all(
            [pid for pid in others if pid not in self.processes],
            PRELOAD_S if self._preloads else 0.0,
        )

    def close(self) -> None:
        """Close the files."""
        self.objects.close()
        if self.jitted:
            self.jitted.close()
