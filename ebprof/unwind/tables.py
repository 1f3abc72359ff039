"""Unwind tables in the memory that BPF programs read: who lies where, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.unwind.compile import UnwindRows, pack, plan

Words = NDArray[np.uint32]
NewShard = Callable[[], Words | None]


@dataclass(frozen=True, slots=True)
class Place:
    """Words [at, at + size) of a shard."""

    shard: int
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A placed segment: object addresses [start, limit), whose index begins at `start`."""

    start: int
    limit: int
    shift: int
    place: Place


@dataclass(frozen=True, slots=True)
class Table:
    """An object's unwind table, by address."""

    segments: tuple[Segment, ...]
    rows: int

    @property
    def size(self) -> int:
        """Bytes in the kernel."""
        return 4 * sum(segment.place.size for segment in self.segments)


class TableMemory:
    """Hands out words in shards, first fit.

    new_shard: makes the next shard, or returns None when there can be no more.
    """

    def __init__(self, new_shard: NewShard) -> None:
        self._new_shard = new_shard
        self._shards: list[Words] = []
        self._holes: list[list[tuple[int, int]]] = []  # per shard, (at, size) by at

    def allocate(self, size: int) -> Place | None:
        """Room for `size` words, at an even word; None when memory is used up."""
        size += size & 1
        if size > lib.SHARD_WORDS:
            return None
        for shard, holes in enumerate(self._holes):
            at = _take(holes, size)
            if at is not None:
                return Place(shard, at, size)
        words = self._new_shard()
        if words is None:
            return None
        self._shards.append(words)
        self._holes.append([(0, len(words))])
        return self.allocate(size)

    def free(self, place: Place) -> None:
        """Give room back; BPF programs must no longer be able to reach it."""
        holes = self._holes[place.shard]
        holes.append((place.at, place.size))
        holes.sort()
        merged = [holes[0]]
        for at, size in holes[1:]:
            last_at, last_size = merged[-1]
            if last_at + last_size == at:
                merged[-1] = (last_at, last_size + size)
            else:
                merged.append((at, size))
        self._holes[place.shard] = merged

    @property
    def shard_count(self) -> int:
        """Shards made so far."""
        return len(self._shards)

    def shard(self, number: int) -> Words:
        """All words of a shard."""
        return self._shards[number]

    def words(self, place: Place) -> Words:
        """The words of a place, writable."""
        return self._shards[place.shard][place.at : place.at + place.size]


def _take(holes: list[tuple[int, int]], size: int) -> int | None:
    for i, (at, room) in enumerate(holes):
        if room >= size:
            if room == size:
                del holes[i]
            else:
                holes[i] = (at + size, room - size)
            return at
    return None


@dataclass(slots=True)
class RuleIds:
    """Numbers the distinct rules of all objects; id 0 is the all-zero rule, no row."""

    rules: NDArray[Any]
    _ids: dict[bytes, int] = field(default_factory=dict)
    overflowed: int = 0

    def ids(self, dictionary: NDArray[Any]) -> NDArray[np.uint16]:
        """Ids uint16[n] for the rules of a dictionary, which are added where they are new.

        A rule that does not fit any more gets the id of the unsupported rule.
        """
        known = [self._id(rule) for rule in dictionary]
        return np.array(known, np.uint16)

    def __len__(self) -> int:
        return len(self._ids)

    def _id(self, rule: Any) -> int:
        key = rule.tobytes()
        found = self._ids.get(key)
        if found is not None:
            return found
        number = len(self._ids)
        if number >= len(self.rules):
            self.overflowed += 1
            return int(lib.RULE_UNSUPPORTED)
        self.rules[number] = rule
        self._ids[key] = number
        return number


class TableStore:
    """Packs rows into table memory and numbers their rules.

    rules: UNWIND_RULE[MAX_RULES], shared with the BPF programs.
    """

    def __init__(self, new_shard: NewShard, rules: NDArray[Any]) -> None:
        self.memory = TableMemory(new_shard)
        self.rules = RuleIds(rules)

    def add(self, rows: UnwindRows) -> Table | None:
        """Place a table; None when memory is used up. Raises UnwindError when it is too large."""
        ids = self.rules.ids(rows.dictionary)
        segments: list[Segment] = []
        for planned in plan(rows):
            place = self.memory.allocate(int(planned["words"]))
            if place is None:
                self._free(segments)
                return None
            pack(rows, planned, ids, self.memory.words(place)[: int(planned["words"])])
            start = rows.base + int(planned["base"])
            limit = rows.base + int(planned["limit"])
            segments.append(Segment(start, limit, int(planned["shift"]), place))
        return Table(tuple(segments), len(rows.offsets))

    def _free(self, segments: list[Segment]) -> None:
        for segment in segments:
            self.memory.free(segment.place)
