"""Tables in memory, numbers of rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.abi import UNWIND_RULE
from ebprof.unwind import tables as tables_module
from ebprof.unwind.compile import FrameCounters, UnwindRows
from ebprof.unwind.memory import Shards
from ebprof.unwind.tables import RuleNumbering, Table, TableStore
from tests.unit.unwind.fakes import FakeShards

COUNTERS = FrameCounters(0, 0, 0, 0, 0, 0, 0, 0, False)
BASE = 0x1000


def dictionary(*offsets: int) -> NDArray[Any]:
    """The two rules that every dictionary has, and one with each CFA offset."""
    rules = np.zeros(2 + len(offsets), UNWIND_RULE)
    rules[1]["cfa_kind"] = lib.CFA_UNSUPPORTED
    rules[2:]["cfa_kind"] = lib.CFA_SP
    rules[2:]["cfa_offset"] = offsets
    return rules


def rows(count: int, *offsets: int) -> UnwindRows:
    """A table with a row each 16 bytes, with the rules of these CFA offsets by turns."""
    offsets = offsets or (8, 16)
    rules = np.array([2 + i % len(offsets) for i in range(count - 1)] + [0], np.uint16)
    places = np.arange(count, dtype=np.uint32) * 16
    return UnwindRows(BASE, places, rules, dictionary(*offsets), COUNTERS)


class Store:
    """A store of at most so many shards, and what BPF programs find in them."""

    def __init__(self, limit: int = 2, rules: int = lib.MAX_RULES) -> None:
        self.source = FakeShards()
        self.tables = TableStore(Shards(self.source), np.zeros(rules, UNWIND_RULE), limit)

    def cfa_offset(self, table: Table, row: int) -> int:
        """The CFA offset in force at a row's address."""
        address = BASE + 16 * row
        (segment,) = (one for one in table.segments if one.start <= address < one.limit)
        words = self.source.made[segment.place.shard][segment.place.at :]
        pointer = ffi.from_buffer("uint32_t[]", words)
        number = lib.segment_find(pointer, segment.shift, address - segment.start)
        return int(self.tables.rules.rules[number]["cfa_offset"])


def test_equal_rules_of_two_objects_have_one_number() -> None:
    numbers = RuleNumbering(np.zeros(lib.MAX_RULES, UNWIND_RULE))
    first, second = numbers.take(dictionary(8, 16)), numbers.take(dictionary(16, 24))
    assert first.tolist() == [0, 1, 2, 3]
    assert second.tolist() == [0, 1, 3, 4]
    assert numbers.rules["cfa_offset"][:5].tolist() == [0, 0, 8, 16, 24]


def test_a_rule_beyond_the_last_is_unsupported_and_counted() -> None:
    numbers = RuleNumbering(np.zeros(3, UNWIND_RULE))
    assert numbers.take(dictionary(8, 16)).tolist() == [0, 1, 2, lib.RULE_UNSUPPORTED]
    assert numbers.overflowed == 1


def test_a_rule_has_its_number_until_the_last_object_with_it_is_gone() -> None:
    numbers = RuleNumbering(np.zeros(5, UNWIND_RULE))
    first, second = numbers.take(dictionary(8, 16)), numbers.take(dictionary(16, 24))
    numbers.give_back(first)
    assert len(numbers) == 4
    assert numbers.take(dictionary(32, 24)).tolist() == [0, 1, 2, 4]
    numbers.give_back(second)
    assert numbers.take(dictionary(16)).tolist() == [0, 1, 3]
    assert numbers.rules["cfa_offset"].tolist() == [0, 0, 32, 16, 24]
    assert numbers.overflowed == 0


def test_one_object_cannot_take_all_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables_module, "MAX_OWN_RULES", 4)
    numbers = RuleNumbering(np.zeros(8, UNWIND_RULE))
    assert numbers.take(dictionary(*range(8, 80, 8))).tolist() == [0, 1, 2, 3] + 7 * [1]
    assert numbers.overflowed == 7
    assert numbers.take(dictionary(400, 408)).tolist() == [0, 1, 4, 5]


@pytest.mark.parametrize("count", [2, 1000])
def test_a_table_lies_where_it_says(count: int) -> None:
    store = Store()
    table = store.tables.add(rows(count))
    assert table is not None
    assert table.rows == count
    assert [store.cfa_offset(table, row) for row in range(count - 1)] == ([8, 16] * count)[
        : count - 1
    ]


def test_a_table_that_finds_no_room_leaves_none_taken() -> None:
    store = Store(limit=1)
    assert store.tables.add(rows(400_000)) is None
    assert store.tables.heap.free_words == lib.SHARD_WORDS
    assert len(store.tables.rules) == store.tables.used_words == 0


def test_a_table_that_is_freed_leaves_its_room_and_its_rules_to_the_next() -> None:
    store = Store(limit=1, rules=4)
    first = store.tables.add(rows(100_000))
    assert first is not None
    assert store.tables.add(rows(200_000, 24, 32)) is None
    store.tables.free(first)
    second = store.tables.add(rows(200_000, 24, 32))
    assert second is not None
    assert store.cfa_offset(second, 1) == 32
    assert store.tables.rules.overflowed == 0
    assert store.tables.most_words == second.words == store.tables.used_words


def test_a_table_that_moves_says_the_same() -> None:
    store = Store()
    filler = store.tables.add(rows(200_000))
    table = store.tables.add(rows(20_000, 8, 16, 24))
    assert filler is not None and table is not None
    old = table.places_in(0)
    assert len(old) == len(table.segments)
    assert store.tables.move_out(table, 0) is None, "there is no other shard"
    big = store.tables.add(rows(200_000))
    assert big is not None and big.places_in(1)
    moved = store.tables.move_out(table, 0)
    assert moved is not None
    assert not moved.places_in(0)
    assert {store.cfa_offset(moved, row) for row in range(0, 18_000, 3)} == {8}
    assert {store.cfa_offset(moved, row) for row in range(2, 18_000, 3)} == {24}
