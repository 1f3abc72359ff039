"""Keeps unwind tables within their memory: who has to leave, who moves, what is free again.

Room changes hands in this order, so that no sample is ever unwound by another object's table: the
lists of mappings that lead to it are replaced; the BPF programs that may have read one of them have
ended; then it is written anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from ebprof.unwind.memory import Place
from ebprof.unwind.objects import ObjectStore, UnwindObject
from ebprof.unwind.processes import ProcessStore
from ebprof.unwind.tables import MAX_RULES, Table

MAX_UNUSED = 256
"""Objects that no process maps any more and that are kept, in case one does so again."""
RESERVE = 8
"""One part of so many of the memory is kept free of tables that nobody uses."""
RECENT_S = 10.0
"""A table that samples met within this time is not taken away from those who use it."""
TURN_S = 1.0
"""There is something to do this often at most."""
SEARCH_S = 10.0
"""How often room is made for tables that found none, and lost processes are looked for."""


class Upkeep:
    """Call `tend` between samples.

    used: objects that samples met since the last call. is_named: whether a stack names an object's
    number. alive: all processes that there are. forget: drops what is known of processes.
    """

    def __init__(
        self,
        objects: ObjectStore,
        processes: ProcessStore,
        *,
        used: Callable[[], Iterable[int]],
        is_named: Callable[[int], bool],
        alive: Callable[[], Iterable[int]],
        forget: Callable[[Iterable[int]], None],
    ) -> None:
        self._objects = objects
        self._tables = objects.tables
        self._processes = processes
        self._used = used
        self._is_named = is_named
        self._alive = alive
        self._forget = forget
        self._taken: list[Table] = []
        self._left: list[Place] = []
        self._dropped: list[int] = []
        self._missing: set[int] = set()
        self._next_turn = self._next_search = self._next_room = 0.0
        self.evicted = 0
        objects.make_room = self._make_room_at_once

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
        self._take_back()

    def _free_numbers(self) -> None:
        """Numbers of objects that were dropped a turn ago: records that name them are in."""
        for number in self._dropped:
            if not self._is_named(number):
                self._objects.free_number(number)
        self._dropped.clear()

    def _forget_missing(self, now: float) -> None:
        """Processes that are missing twice in a row; news of others may still be on its way."""
        if now < self._next_search:
            return
        self._next_search = now + SEARCH_S
        missing = self._processes.all_pids() - set(self._alive())
        self._forget(missing & self._missing)
        self._missing = missing

    def _trim(self) -> None:
        """Drop what nobody uses: the oldest objects, and tables where there is little room."""
        unused = self._objects.unused()
        excess = max(0, len(unused) - MAX_UNUSED)
        for one in unused[:excess]:
            self._evict([one])
            self._objects.drop(one)
            self._dropped.append(one.number)
        left = [one for one in unused[excess:] if one.table]
        few_rules = len(self._tables.rules) > MAX_RULES - MAX_RULES // RESERVE
        for place, one in enumerate(left):
            is_old = place <= len(left) // RESERVE
            if self._room() < self._reserve or (few_rules and is_old):
                self._evict([one])

    def _find_room(self, now: float) -> None:
        """Give tables to the objects that had no room, to the last used first."""
        waiting = [one for one in self._objects.all() if one.has_no_room and one.users]
        if not waiting or now < self._next_room:
            return
        self._next_room = now + SEARCH_S
        self._objects.use(self._used())
        for one in sorted(waiting, key=lambda one: -one.used_at):
            if self._make_room(one.sizes, now):
                self._objects.restore(one)
                self._processes.update_objects({one.number})

    def _make_room(self, sizes: Sequence[int], now: float) -> bool:
        """Whether segments of these sizes find room, after the least recently used had to go."""
        room = self._room()
        victims: list[UnwindObject] = []
        for one in self._oldest(now):
            if room >= sum(sizes) + self._reserve:
                break
            if one.table:
                victims.append(one)
                room += one.table.words
        if room < sum(sizes):
            return False
        self._evict(victims)
        return self._take_back() and (self._tables.fits(sizes) or self._compact(sizes))

    def _make_room_at_once(self, sizes: Sequence[int]) -> bool:
        """The same in the midst of other work: of what nobody uses, and more than is asked for."""
        room = self._room()
        victims: list[UnwindObject] = []
        for one in self._objects.unused():
            if room >= sum(sizes) + 2 * self._reserve:
                break
            if one.table:
                victims.append(one)
                room += one.table.words
        if room < sum(sizes):
            return False
        self._evict(victims)
        return self._take_back() and self._tables.fits(sizes)

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
            self._left += places
            moved.add(one.number)
        self._processes.update_objects(moved)
        return self._take_back() and is_empty

    def _evict(self, victims: Iterable[UnwindObject]) -> None:
        numbers = set()
        for one in victims:
            table = self._objects.evict(one)
            if table:
                self._taken.append(table)
            if one.users:
                self.evicted += 1
                numbers.add(one.number)
        self._processes.update_objects(numbers)

    def _take_back(self) -> bool:
        """Free what was replaced; False when BPF programs may still read it."""
        if not (self._taken or self._left or self._processes.has_replaced):
            return True
        if not self._processes.take_back():
            return False
        for table in self._taken:
            self._tables.free(table)
        for place in self._left:
            self._tables.heap.free(place)
        self._taken.clear()
        self._left.clear()
        return True

    @property
    def _reserve(self) -> int:
        return self._tables.heap.limit_words // RESERVE

    def _room(self) -> int:
        """Words that are free, or will be once BPF programs have left them."""
        coming = sum(table.words for table in self._taken)
        return self._tables.heap.free_words + coming
