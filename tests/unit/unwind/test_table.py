"""Rows packed into segments are found again, and how much room they take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.abi import UNWIND_RULE
from ebprof.unwind.compile import FrameCounters, UnwindRows, pack, plan
from tests import slow

WIDE_GAP = 1 << 24
NO_COUNTERS = FrameCounters(0, 0, 0, 0, 0, 0, 0, 0, False)


def make_rows(offsets: Any, rules: Any) -> UnwindRows:
    """Rows at offsets; the last must be rule 0."""
    dictionary = np.zeros(int(max(rules, default=0)) + 1, UNWIND_RULE)
    return UnwindRows(
        0x1000, np.array(offsets, np.uint32), np.array(rules, np.uint16), dictionary, NO_COUNTERS
    )


def many_rows(count: int, step: int) -> UnwindRows:
    """Rows at even distances, with rules that differ from their neighbours'."""
    rules = np.arange(count) % 7 + 1
    rules[-1] = 0
    return make_rows(np.arange(count) * step, rules)


class Table:
    """Rows, packed, with ids that are not the rules themselves."""

    def __init__(self, rows: UnwindRows) -> None:
        self.rows = rows
        self.ids = (np.arange(len(rows.dictionary), dtype=np.uint16) * 3 + 1).astype(np.uint16)
        self.ids[0] = 0
        self.segments = plan(rows)
        self.words = [self._packed(segment) for segment in self.segments]

    def _packed(self, segment: Any) -> NDArray[np.uint32]:
        words = np.full(segment["words"] + 1, 0xDEADBEEF, np.uint32)
        pack(self.rows, segment, self.ids, words[:-1])
        assert words[-1] == 0xDEADBEEF
        return words

    def find(self, offset: int) -> int:
        """The id at an offset from the object's base, as BPF finds it."""
        index = int(np.searchsorted(self.segments["base"], offset, "right")) - 1
        if index < 0:
            return 0
        segment = self.segments[index]
        offset -= int(segment["base"])
        if offset >= int(segment["blocks"]) << int(segment["shift"]):
            return 0
        words = ffi.from_buffer("uint32_t[]", self.words[index])
        return int(lib.segment_find(words, int(segment["shift"]), offset))

    def expected(self, offset: int) -> int:
        """The same by a search of all rows."""
        index = int(np.searchsorted(self.rows.offsets, offset, "right")) - 1
        return int(self.ids[self.rows.rules[index]]) if index >= 0 else 0

    def check(self, offsets: Any) -> None:
        """Both searches agree at offsets and beside them."""
        for offset in offsets:
            for beside in (offset - 1, offset, offset + 1):
                if 0 <= beside < 2**32:
                    assert self.find(beside) == self.expected(beside), hex(beside)


@st.composite
def any_rows(draw: st.DrawFn) -> UnwindRows:
    steps = draw(
        st.lists(st.one_of(st.integers(1, 40), st.integers(1, 2**26)), min_size=1, max_size=60)
    )
    offsets = np.concatenate([[0], np.cumsum(steps)])
    offsets = offsets[offsets < 2**32]
    rules = draw(st.lists(st.integers(0, 5), min_size=len(offsets), max_size=len(offsets)))
    return make_rows(offsets, [*rules[:-1], 0])


@settings(max_examples=slow.examples(300))
@given(any_rows())
def test_every_row_is_found(rows: UnwindRows) -> None:
    table = Table(rows)
    table.check(rows.offsets.tolist())
    assert sum(table.segments["row_count"]) == len(rows.offsets)


@pytest.mark.parametrize("step", [1, 3, 16, 900, 70_000])
def test_long_tables(step: int) -> None:
    rows = many_rows(50_000, step)
    Table(rows).check(rows.offsets[::37].tolist() + rows.offsets[-3:].tolist())


def test_a_large_object_takes_several_segments_and_little_room() -> None:
    rows = many_rows(700_000, 23)
    table = Table(rows)
    words = table.segments["words"]
    assert len(words) == 3 and words.max() <= lib.SHARD_WORDS
    assert 4 * int(words.sum()) <= 4.5 * len(rows.offsets)
    borders = table.segments["base"].tolist() + table.segments["limit"].tolist()
    table.check(borders + rows.offsets[::997].tolist())


def test_sparse_rows_stay_within_a_shard() -> None:
    rows = many_rows(240_000, 17_000)
    table = Table(rows)
    assert table.segments["words"].max() <= lib.SHARD_WORDS
    assert set(table.segments["shift"].tolist()) == {lib.MAX_BLOCK_SHIFT}
    table.check(table.segments["base"].tolist() + rows.offsets[::4999].tolist())


def test_segments_meet() -> None:
    segments = plan(many_rows(700_000, 23))
    assert segments["limit"][:-1].tolist() == segments["base"][1:].tolist()
    assert segments["limit"][-1] == 699_999 * 23


def test_a_wide_gap_costs_nothing() -> None:
    far = 3 * WIDE_GAP
    table = Table(make_rows([0, 100, 200, far, far + 64], [1, 2, 0, 3, 0]))
    assert table.segments["base"].tolist() == [0, far]
    assert table.segments["limit"].tolist() == [200, far + 64]
    assert table.segments["words"].sum() < 20
    table.check([0, 100, 200, WIDE_GAP, far, far + 64, far + 100_000])


def test_a_wide_row_is_not_a_gap() -> None:
    table = Table(make_rows([0, 100, 2**32 - 1], [1, 2, 0]))
    assert len(table.segments) == 1
    table.check([0, 100, 2**31, 2**32 - 2])


def test_no_rows_no_segments() -> None:
    assert len(plan(make_rows([], []))) == 0


def test_a_plan_that_does_not_fit_is_refused() -> None:
    rows = make_rows([0, 8, 4 * WIDE_GAP, 4 * WIDE_GAP + 8], [1, 0, 1, 0])
    segments, count = ffi.new("struct table_segment[1]"), ffi.new("uint32_t *")
    offsets = ffi.from_buffer("uint32_t[]", rows.offsets)
    rules = ffi.from_buffer("uint16_t[]", rows.rules)
    error = lib.table_plan(offsets, rules, len(rows.offsets), 1, segments, count)
    assert error == lib.TABLE_TOO_MANY_SEGMENTS


def test_buffers_of_the_wrong_size_are_refused() -> None:
    rows = many_rows(100, 10)
    segment = plan(rows)[0]
    words = np.empty(int(segment["words"]), np.uint32)
    ids = np.zeros(len(rows.dictionary), np.uint16)
    with pytest.raises(ValueError, match="words"):
        pack(rows, segment, ids, words[:-1])
    with pytest.raises(ValueError, match="ids"):
        pack(rows, segment, ids[:-1], words)
