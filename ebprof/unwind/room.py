"""Room for unwind tables: what is taken from one is given to another once nobody reads it.

Room changes hands in this order, so that no sample is ever unwound by another object's table: the
lists of mappings that lead to it are replaced; the BPF programs that may have read one of them have
ended; then it is written anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from ebprof.unwind.lists import MappingLists
from ebprof.unwind.memory import Place
from ebprof.unwind.tables import Table, TableStore

RESERVE = 8
"""One part of so many of the memory is kept free of tables that nobody uses."""


class Owner(Protocol):
    """What may have a table."""

    table: Table | None


AnyOwner = TypeVar("AnyOwner", bound=Owner)


class Room:
    """The memory of tables, and what of it is about to be free. lists: lead programs to tables."""

    def __init__(self, tables: TableStore, lists: MappingLists) -> None:
        self.tables = tables
        self._lists = lists
        self._taken: list[Table] = []
        self._left: list[Place] = []

    @property
    def reserve(self) -> int:
        """Words that are kept free of tables that nobody uses."""
        return self.tables.heap.limit_words // RESERVE

    @property
    def words(self) -> int:
        """Words that are free, or will be once BPF programs have left them."""
        return self.tables.heap.free_words + sum(table.words for table in self._taken)

    def choose(
        self, candidates: Iterable[AnyOwner], sizes: Sequence[int], spare: int
    ) -> list[AnyOwner] | None:
        """Those, in their order, that have to give their table for segments of these sizes and
        `spare` reserves to have room; None where even the sizes have none with the tables of all.
        """
        room = self.words
        chosen: list[AnyOwner] = []
        for one in candidates:
            if room >= sum(sizes) + spare * self.reserve:
                break
            if one.table:
                chosen.append(one)
                room += one.table.words
        return chosen if room >= sum(sizes) else None

    def take(self, table: Table) -> None:
        """Free a table, to which no list leads any more, once BPF programs have left it."""
        self._taken.append(table)

    def leave(self, places: Iterable[Place]) -> None:
        """The same for places of a table that moved."""
        self._left += places

    def take_back(self) -> bool:
        """Free what was taken and left; False when BPF programs may still read it."""
        if not (self._taken or self._left or self._lists.has_replaced):
            return True
        if not self._lists.take_back():
            return False
        for table in self._taken:
            self.tables.free(table)
        for place in self._left:
            self.tables.heap.free(place)
        self._taken.clear()
        self._left.clear()
        return True
