"""Rows of lists of mappings: of what, over what, and by which table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from ebprof._native import lib
from ebprof.procfs.maps import MapsEntry
from ebprof.unwind.mappings import (
    Gap,
    Row,
    cut_out,
    most_useful,
    object_number,
    overlay,
    pieces,
    respread,
)
from ebprof.unwind.memory import Place
from ebprof.unwind.object import UnwindObject
from ebprof.unwind.tables import Segment, Table

NUMBER = 7
BASE = 0x7F00_0000_0000
KINDS = {lib.MAPPING_TABLE: "table", lib.MAPPING_NO_TABLE: "none", lib.MAPPING_BAD_TABLE: "bad"}
KINDS[lib.MAPPING_ABSENT] = "absent"


@dataclass
class FakeImage:
    """An object whose file offsets are its addresses, plus `shift`."""

    shift: int = 0

    def code_address(self, offset: int) -> int:
        return offset + self.shift


@dataclass
class FakeFile:
    image: FakeImage = field(default_factory=FakeImage)


def known(*bounds: tuple[int, int], shift: int = 0, **fields: Any) -> UnwindObject:
    """An object with a table of segments between these addresses, at word 10, 20, ..."""
    segments = tuple(
        Segment(start, limit, 4, Place(3, 10 + 10 * i, 8))
        for i, (start, limit) in enumerate(bounds)
    )
    table = Table(segments, 1, cast(Any, None)) if bounds else None
    file = cast(Any, FakeFile(FakeImage(shift)))
    return UnwindObject(NUMBER, (1, 2, 0), file, table, **fields)


def entry(size: int = 0x4000, offset: int = 0, start: int = BASE) -> MapsEntry:
    return MapsEntry(start, start + size, offset, 1, 2, "/lib/a.so", True, False)


def told(rows: list[Row]) -> list[tuple[int, int, str]]:
    """Addresses from BASE on, and how to unwind there."""
    return [(row[0] - BASE, row[1] - BASE, KINDS[row[7]]) for row in rows]


def test_a_mapping_has_a_row_for_each_segment_and_each_gap() -> None:
    rows = list(pieces(entry(), known((0x1000, 0x2000), (0x2000, 0x2800))))
    assert told(rows) == [
        (0, 0x1000, "none"),
        (0x1000, 0x2000, "table"),
        (0x2000, 0x2800, "table"),
        (0x2800, 0x4000, "none"),
    ]
    assert {object_number(row) for row in rows} == {NUMBER}
    assert [row[4] for row in rows] == [0, 10, 20, 0]


@pytest.mark.parametrize(
    "fields, kind",
    [
        ({}, "none"),
        ({"failure": "corrupt"}, "bad"),
        ({"is_absent": True}, "absent"),
        ({"is_absent": True, "has_no_room": True}, "bad"),
    ],
)
def test_what_has_no_table_says_why(fields: dict[str, Any], kind: str) -> None:
    assert told(list(pieces(entry(), known(**fields)))) == [(0, 0x4000, kind)]


@pytest.mark.parametrize("shift", [0, BASE + 0x100000, -0x1000])
def test_rows_follow_their_tables(shift: int) -> None:
    """Also of an object that lies below the addresses it was linked for."""
    at = 0x2000 + shift
    before = list(pieces(entry(offset=0x1000), known((at, at + 0x1000), shift=shift)))
    evicted = respread(before, lambda number: known(shift=shift, is_absent=True))
    assert told(evicted) == [(0, 0x4000, "absent")]
    moved = known((at, at + 0x800), (at + 0x800, at + 0x1000), shift=shift)
    again = respread(evicted, lambda number: moved if number == NUMBER else None)
    assert again == list(pieces(entry(offset=0x1000), moved))


def test_neighbours_that_are_two_mappings_stay_apart() -> None:
    lower = list(pieces(entry(0x1000), known((0, 0x1000))))
    upper = list(pieces(entry(0x1000, start=BASE + 0x1000), known((0, 0x1000))))
    rows = respread(lower + upper, lambda _: known((0, 0x800)))
    assert told(rows) == [
        (0, 0x800, "table"),
        (0x800, 0x1000, "none"),
        (0x1000, 0x1800, "table"),
        (0x1800, 0x2000, "none"),
    ]


def test_memory_without_an_object_is_left_as_it_is() -> None:
    rows = list(pieces(entry(), None))
    assert object_number(rows[0]) == 0
    assert respread(rows, lambda _: None) == rows


def test_an_object_that_claims_addresses_of_others_numbers_has_no_frames() -> None:
    hostile = known((0, 0x1000), shift=(1 << lib.OBJECT_SHIFT) - 0x2000)
    rows = list(pieces(entry(), hostile))
    assert told(rows) == [(0, 0x4000, "none")]
    assert object_number(rows[0]) == 0


def test_a_new_mapping_takes_the_place_of_what_it_covers() -> None:
    rows = list(pieces(entry(), known((0x1000, 0x3000))))
    overlay(rows, list(pieces(entry(0x1000, start=BASE + 0x1800), None)))
    assert told(rows) == [
        (0, 0x1000, "none"),
        (0x1000, 0x1800, "table"),
        (0x1800, 0x2800, "none"),
        (0x2800, 0x3000, "table"),
        (0x3000, 0x4000, "none"),
    ]
    (left, right) = (row for row in rows if row[7] == lib.MAPPING_TABLE)
    assert left[2:] == right[2:], "both halves are of one table"


def test_of_too_many_rows_those_of_objects_are_kept() -> None:
    rows = [
        row
        for i in range(10)
        for row in pieces(entry(0x100, start=BASE + 0x1000 * i), known() if i % 3 == 0 else None)
    ]
    kept = most_useful(rows, 6)
    assert kept == sorted(kept)
    assert [object_number(row) for row in kept] == [7, 0, 0, 7, 7, 7]


def test_of_too_many_mappings_each_object_keeps_one() -> None:
    """Libraries lie above what a process maps later."""
    parts = (0, 0x1000), (0x1000, 0x2000)
    many = [row for i in range(50) for row in pieces(entry(start=BASE + 0x4000 * i), known(*parts))]
    library = known(*parts)
    library.number = 8
    above = list(pieces(entry(start=BASE + 0x100_0000), library))
    kept = most_useful([*many, *above], 6)
    assert told(kept) == [
        (0, 0x1000, "table"),
        (0x1000, 0x2000, "table"),
        (0x4000, 0x5000, "table"),
        (0x5000, 0x6000, "table"),
        (0x1000000, 0x1001000, "table"),
        (0x1001000, 0x1002000, "table"),
    ]


def test_what_is_gone_is_cut_out() -> None:
    rows = list(pieces(entry(), known((0x1000, 0x3000))))
    cut_out(rows, Gap(BASE + 0x800, BASE + 0x2000))
    assert told(rows) == [(0, 0x800, "none"), (0x2000, 0x3000, "table"), (0x3000, 0x4000, "none")]
    cut_out(rows, Gap(BASE + 0x2400, BASE + 0x2800))
    assert told(rows)[1:3] == [(0x2000, 0x2400, "table"), (0x2800, 0x3000, "table")]
    cut_out(rows, Gap(0, 2 * BASE))
    assert rows == []
    cut_out(rows, Gap(0, BASE))
    assert rows == []
