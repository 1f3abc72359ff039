"""Unwind tables in the memory that BPF programs read: who lies where, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.unwind.compile import UnwindRows, pack, plan
from ebprof.unwind.memory import Heap, Place, Shards

MAX_RULES: int = lib.MAX_RULES
MAX_OWN_RULES = MAX_RULES // 4
"""Of one object: no file can take the rules that others need. libLLVM has 500."""

RuleNumbers = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Segment:
    """A placed segment: object addresses [start, limit), whose index begins at `start`."""

    start: int
    limit: int
    shift: int
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """An object's unwind table, by address.

    rules: uint16[n], the numbers of the rules that it uses.
    """

    segments: tuple[Segment, ...]
    rows: int
    rules: RuleNumbers

    @property
    def words(self) -> int:
        """32-bit words in the kernel."""
        return sum(segment.place.size for segment in self.segments)

    @property
    def size(self) -> int:
        """Bytes in the kernel."""
        return 4 * self.words

    def places_in(self, shard: int) -> list[Place]:
        """What it has in a shard."""
        return [segment.place for segment in self.segments if segment.place.shard == shard]


@dataclass(slots=True)
class RuleNumbering:
    """Numbers the distinct rules of all tables; number 0 is the all-zero rule, no row.

    rules: UNWIND_RULE[MAX_RULES], shared with the BPF programs. overflowed: rules that got no
    number.
    """

    rules: NDArray[Any]
    overflowed: int = 0
    _numbers: dict[bytes, int] = field(default_factory=dict)
    _users: NDArray[np.uint32] = field(init=False)
    _free: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._users = np.zeros(len(self.rules), np.uint32)

    def take(self, dictionary: NDArray[Any]) -> RuleNumbers:
        """Numbers uint16[n] for the rules of a dictionary, each used once more until given back.

        A rule that does not fit any more gets the number of the unsupported rule.
        """
        taken = np.full(len(dictionary), lib.RULE_UNSUPPORTED, np.uint16)
        for i, rule in enumerate(dictionary[:MAX_OWN_RULES]):
            taken[i] = self._number(rule)
        self.overflowed += max(0, len(dictionary) - MAX_OWN_RULES)
        np.add.at(self._users, taken, 1)
        return taken

    def give_back(self, numbers: RuleNumbers) -> None:
        """What `take` returned is used no more; BPF programs must no longer be able to meet it."""
        np.subtract.at(self._users, numbers, 1)
        for number in np.unique(numbers).tolist():
            if number > lib.RULE_UNSUPPORTED and not self._users[number]:
                del self._numbers[self.rules[number].tobytes()]
                self._free.append(number)

    def __len__(self) -> int:
        return len(self._numbers)

    def _number(self, rule: Any) -> int:
        key = rule.tobytes()
        found = self._numbers.get(key)
        if found is not None:
            return found
        if not self._free and len(self._numbers) >= len(self.rules):
            self.overflowed += 1
            return int(lib.RULE_UNSUPPORTED)
        number = self._free.pop() if self._free else len(self._numbers)
        self.rules[number] = rule
        self._numbers[key] = number
        return number


class TableStore:
    """Packs rows into table memory and numbers their rules.

    limit: shards that tables may take. rules: UNWIND_RULE[MAX_RULES], shared with BPF programs.
    """

    def __init__(self, shards: Shards, rules: NDArray[Any], limit: int = lib.MAX_SHARDS) -> None:
        self.heap = Heap(shards, limit)
        self.rules = RuleNumbering(rules)
        self._shards = shards
        self.used_words = 0
        self.most_words = 0

    def add(self, rows: UnwindRows) -> Table | None:
        """Place a table; None when there is no room. Raises UnwindError when it is too large."""
        planned = plan(rows)
        places = self._allocate(self.sizes(rows))
        if places is None:
            return None
        numbers = self.rules.take(rows.dictionary)
        segments = []
        for one, place in zip(planned, places, strict=True):
            pack(rows, one, numbers, self._shards.words(place)[: int(one["words"])])
            start, limit = rows.base + int(one["base"]), rows.base + int(one["limit"])
            segments.append(Segment(start, limit, int(one["shift"]), place))
        table = Table(tuple(segments), len(rows.offsets), numbers)
        self.used_words += table.words
        self.most_words = max(self.most_words, self.used_words)
        return table

    def sizes(self, rows: UnwindRows) -> tuple[int, ...]:
        """Words of each segment that a table of these rows has. Raises UnwindError."""
        return tuple(int(size) for size in plan(rows)["words"])

    def fits(self, sizes: Iterable[int]) -> bool:
        """Whether there is room for all of these segments, each in one piece."""
        return self.heap.fits(sizes)

    def free(self, table: Table) -> None:
        """Give a table's room and rules back; BPF programs must no longer be able to reach it."""
        for segment in table.segments:
            self.heap.free(segment.place)
        self.rules.give_back(table.rules)
        self.used_words -= table.words

    def move_out(self, table: Table, shard: int) -> Table | None:
        """The table with copies of what it has in a shard elsewhere; None when there is no room.

        The old places are for the caller to free, once nothing reads them any more.
        """
        moving = [one for one in table.segments if one.place.shard == shard]
        places = self._allocate((one.place.size for one in moving), avoid=shard)
        if places is None:
            return None
        for one, place in zip(moving, places, strict=True):
            self._shards.words(place)[:] = self._shards.words(one.place)
        moved = dict(zip((one.start for one in moving), places, strict=True))
        segments = tuple(
            replace(one, place=moved.get(one.start, one.place)) for one in table.segments
        )
        return replace(table, segments=segments)

    def _allocate(self, sizes: Iterable[int], avoid: int | None = None) -> list[Place] | None:
        """All of these, or none."""
        places: list[Place] = []
        for size in sizes:
            place = self.heap.allocate(size, avoid=avoid)
            if place is None:
                for taken in places:
                    self.heap.free(taken)
                return None
            places.append(place)
        return places
