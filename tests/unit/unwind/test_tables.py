"""Places in table memory, numbers of rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import UNWIND_RULE
from ebprof.unwind.compile import FrameCounters, UnwindRows
from ebprof.unwind.tables import NewShard, Place, RuleIds, TableMemory, TableStore, Words

COUNTERS = FrameCounters(0, 0, 0, 0, 0, 0, 0, 0, False)


def shard_maker(shards: int) -> tuple[NewShard, list[Words]]:
    """Makes at most so many shards; the list has those that were made."""
    made: list[Words] = []

    def new_shard() -> Words | None:
        if len(made) == shards:
            return None
        made.append(np.zeros(lib.SHARD_WORDS, np.uint32))
        return made[-1]

    return new_shard, made


def memory(shards: int = 2) -> tuple[TableMemory, list[Words]]:
    """Table memory of at most so many shards, and the shards as they are made."""
    new_shard, made = shard_maker(shards)
    return TableMemory(new_shard), made


def table_store(shards: int = 2) -> tuple[TableStore, list[Words]]:
    """A store of at most so many shards, and the shards as they are made."""
    new_shard, made = shard_maker(shards)
    return TableStore(new_shard, np.zeros(lib.MAX_RULES, UNWIND_RULE)), made


def dictionary(*offsets: int) -> NDArray[Any]:
    """The two rules that every dictionary has, and one with each CFA offset."""
    rules = np.zeros(2 + len(offsets), UNWIND_RULE)
    rules[1]["cfa_kind"] = lib.CFA_UNSUPPORTED
    rules[2:]["cfa_kind"] = lib.CFA_SP
    rules[2:]["cfa_offset"] = offsets
    return rules


def rows(count: int) -> UnwindRows:
    """A table with a row each 16 bytes, with two rules by turns."""
    rules = np.array([2 + i % 2 for i in range(count - 1)] + [0], np.uint16)
    return UnwindRows(
        0x1000, np.arange(count, dtype=np.uint32) * 16, rules, dictionary(8, 16), COUNTERS
    )


def test_places_do_not_overlap_and_are_even() -> None:
    table_memory, _ = memory()
    places = [table_memory.allocate(size) for size in (3, 10, 1, lib.SHARD_WORDS - 100, 200)]
    words: set[tuple[int, int]] = set()
    for place in places:
        assert place is not None
        assert place.at % 2 == 0
        taken = {(place.shard, place.at + i) for i in range(place.size)}
        assert not words & taken
        words |= taken


def test_memory_ends_at_the_last_shard() -> None:
    table_memory, made = memory(shards=1)
    assert table_memory.allocate(lib.SHARD_WORDS) == Place(0, 0, lib.SHARD_WORDS)
    assert table_memory.allocate(2) is None
    assert len(made) == 1


def test_what_is_freed_is_used_again_in_one_piece() -> None:
    table_memory, _ = memory(shards=1)
    half = lib.SHARD_WORDS // 2
    first, second = table_memory.allocate(half), table_memory.allocate(half)
    assert first and second
    table_memory.free(second)
    table_memory.free(first)
    assert table_memory.allocate(lib.SHARD_WORDS) == Place(0, 0, lib.SHARD_WORDS)


def test_more_than_a_shard_cannot_be_had_in_one_piece() -> None:
    table_memory, _ = memory()
    assert table_memory.allocate(lib.SHARD_WORDS + 1) is None


def test_equal_rules_of_two_objects_have_one_number() -> None:
    ids = RuleIds(np.zeros(lib.MAX_RULES, UNWIND_RULE))
    first, second = ids.ids(dictionary(8, 16)), ids.ids(dictionary(16, 24))
    assert first.tolist() == [0, 1, 2, 3]
    assert second.tolist() == [0, 1, 3, 4]
    assert ids.rules["cfa_offset"][:5].tolist() == [0, 0, 8, 16, 24]


def test_a_rule_beyond_the_last_is_unsupported_and_counted() -> None:
    ids = RuleIds(np.zeros(3, UNWIND_RULE))
    assert ids.ids(dictionary(8, 16)).tolist() == [0, 1, 2, lib.RULE_UNSUPPORTED]
    assert ids.overflowed == 1


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_a_table_lies_where_it_says(count: int) -> None:
    store, made = table_store()
    table = store.add(rows(count))
    assert table is not None
    assert table.rows == count
    for segment in table.segments:
        assert made[segment.place.shard][segment.place.at : segment.place.at + 2].any()


def test_a_table_that_finds_no_room_leaves_none_taken() -> None:
    store, _ = table_store(shards=0)
    assert store.add(rows(100)) is None
