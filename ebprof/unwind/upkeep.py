"""Keeps unwind tables within their memory: who has to leave, who moves, what is free again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from ebprof.unwind.object import UnwindObject
from ebprof.unwind.objects import ObjectStore
from ebprof.unwind.processes import ProcessStore
from ebprof.unwind.room import RESERVE, Room
from ebprof.unwind.tables import MAX_RULES

MAX_UNUSED = 256
"""Objects that no process maps any more and that are kept, in case one does so again."""
RECENT_S = 10.0
"""A table that samples met within this time is not taken away from those who use it."""
TURN_S = 1.0
"""There is something to do this often at most."""
SEARCH_S = 10.0
"""How often room is made for tables that found none, and lost processes are looked for."""


class Upkeep:
    """Call `tend` between samples.

    used: objects that samples met since the last call. is_named: whether a stack names an object's
    number. known: processes that anything is known of; alive: all that there are; forget: drops
    what is known of some. drop: gets each object that is about to be dropped, and closes its file;
    release: gets its number when it is free for another.
    """

    def __init__(
        self,
        room: Room,
        objects: ObjectStore,
        processes: ProcessStore,
        *,
        used: Callable[[], Iterable[int]],
        is_named: Callable[[int], bool],
        known: Callable[[], set[int]],
        alive: Callable[[], Iterable[int]],
        forget: Callable[[Iterable[int]], None],
        drop: Callable[[UnwindObject], None],
        release: Callable[[int], None],
    ) -> None:
        self._room = room
        self._objects = objects
        self._tables = room.tables
        self._processes = processes
        self._used = used
        self._is_named = is_named
        self._alive = alive
        self._forget = forget
        self._drop = drop
        self._release = release
        self._known = known
        self._dropped: list[int] = []
        self._resting: list[int] = []
        self._missing: set[int] = set()
        self._next_turn = self._next_search = self._next_room = 0.0
        self.evicted = 0

    def tend(self) -> None:
        """Do what is due; mostly nothing."""
        self._objects.settle()
        now = time.monotonic()
        if now < self._next_turn:
            return
        self._next_turn = now + TURN_S
        self._free_numbers()
        self._forget_missing(now)
        self._trim()
        self._find_room(now)
        self._processes.update_objects(self._objects.take_returned())
        if self._room.take_back():  # no program reads a list any more that leads to what is dropped
            self._resting += self._dropped
            self._dropped = []

    def _free_numbers(self) -> None:
        """Give back numbers that no stack names: all records that may name them are in by now."""
        named = [number for number in self._resting if self._is_named(number)]
        for number in set(self._resting).difference(named):
            self._release(number)
            self._objects.free_number(number)
        self._resting = named

    def _forget_missing(self, now: float) -> None:
        """Processes that are missing twice in a row; news of others may still be on its way."""
        if now < self._next_search:
            return
        self._next_search = now + SEARCH_S
        missing = self._known() - set(self._alive())
        self._forget(missing & self._missing)
        self._missing = missing

    def _trim(self) -> None:
        """Drop what nobody uses: the oldest objects, and tables where there is little room."""
        unused = self._objects.unused()
        excess = max(0, len(unused) - MAX_UNUSED)
        for one in unused[:excess]:
            self._evict([one])
            self._drop(one)
            self._objects.drop(one)
            self._dropped.append(one.number)
        left = [one for one in unused[excess:] if one.table]
        few_rules = len(self._tables.rules) > MAX_RULES - MAX_RULES // RESERVE
        for place, one in enumerate(left):
            is_old = place <= len(left) // RESERVE
            if self._room.words < self._room.reserve or (few_rules and is_old):
                self._evict([one])

    def _find_room(self, now: float) -> None:
        """Give tables to the objects that had no room, to the last used first."""
        if now < self._next_room:
            return
        waiting = [
            one
            for one in self._objects.all()
            if one.has_no_room and one.users and self._objects.is_affordable(one)
        ]
        if not waiting:
            return
        self._next_room = now + SEARCH_S
        self._objects.use(self._used())
        for one in sorted(waiting, key=lambda one: -one.used_at):
            if self._make_room(one.sizes, now):
                one.has_no_room = False
                self._processes.restore([one.number])

    def _make_room(self, sizes: Sequence[int], now: float) -> bool:
        """Whether segments of these sizes find room, for which the least recently used may go."""
        if self._tables.fits(sizes):
            return True
        victims = self._room.choose(self._oldest(now), sizes, spare=1)
        if victims is None:
            return False
        self._evict(victims)
        return self._room.take_back() and (self._tables.fits(sizes) or self._compact(sizes))

    def _oldest(self, now: float) -> list[UnwindObject]:
        """Objects with a table that may be taken away, in the order to do so."""
        found = [one for one in self._objects.all() if one.table and one.used_at < now - RECENT_S]
        return sorted(found, key=lambda one: (one.users > 0, one.used_at))

    def _compact(self, sizes: Sequence[int]) -> bool:
        """Empty shards, those with the least in them first, until there is room in one piece."""
        for shard in self._tables.heap.by_use():
            if not self._empty(shard):
                return False
            if self._tables.fits(sizes):
                return True
        return False

    def _empty(self, shard: int) -> bool:
        """Move all that lies in a shard to others; False when it does not fit there."""
        moved: set[int] = set()
        is_empty = True
        for one in self._objects.all():
            places = one.table.places_in(shard) if one.table else []
            if not one.table or not places:
                continue
            table = self._tables.move_out(one.table, shard)
            if table is None:
                is_empty = False
                break
            one.table = table
            self._room.leave(places)
            moved.add(one.number)
        self._processes.update_objects(moved)
        return self._room.take_back() and is_empty

    def _evict(self, victims: Iterable[UnwindObject]) -> None:
        numbers = set()
        for one in victims:
            self._objects.evict(one)
            if one.users:
                self.evicted += 1
                numbers.add(one.number)
        self._processes.update_objects(numbers)
