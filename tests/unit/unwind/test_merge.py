"""Rows of one source in the gaps of another's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ebprof._native import lib
from ebprof.abi import UNWIND_RULE
from ebprof.unwind.compile import FrameCounters, UnwindRows
from ebprof.unwind.merge import fill, merge

COUNTERS = FrameCounters(0, 0, 0, 0, 0, 0, 0, 0, False)
SIZE = 40


def rows_of(covered: dict[int, int], base: int) -> UnwindRows:
    """Rows from base on that give addresses (from 0) a CFA offset each; 0: no row."""
    numbers = {0: 0}
    places: list[int] = []
    rules: list[int] = []
    for at in range(base, SIZE + 1):
        value = covered.get(at, 0)
        number = numbers.setdefault(value, len(numbers) + (1 if value else 0))
        if (rules[-1] if rules else 0) != number:
            places.append(at - base)
            rules.append(number)
    dictionary = np.zeros(len(numbers) + 1, UNWIND_RULE)
    dictionary[lib.RULE_UNSUPPORTED]["cfa_kind"] = lib.CFA_UNSUPPORTED
    for value, number in numbers.items():
        if value:
            dictionary[number]["cfa_kind"] = lib.CFA_SP
            dictionary[number]["cfa_offset"] = value
    offsets = np.array(places, np.uint32)
    return UnwindRows(base, offsets, np.array(rules, np.uint16), dictionary, COUNTERS)


def values_of(rows: UnwindRows) -> dict[int, int]:
    found: dict[int, int] = {}
    edges = [*(rows.base + rows.offsets.astype(int)).tolist(), SIZE]
    for start, end, number in zip(edges, edges[1:], rows.rules.tolist(), strict=False):
        for at in range(start, end):
            if number:
                found[at] = int(rows.dictionary[number]["cfa_offset"])
    return found


pieces = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2), st.integers(1, 3)), max_size=8)


@given(pieces, st.integers(0, 5), st.integers(0, 5))
def test_each_address_has_what_either_says(
    made: list[tuple[int, int, int]], first_base: int, second_base: int
) -> None:
    """Pieces of some length, for the first, the second, or neither."""
    owners: list[dict[int, int]] = [{}, {}, {}]
    at = 5
    for length, owner, value in made:
        for place in range(at, min(at + length, SIZE - 1)):
            owners[owner][place] = value
        at += length
    rows = merge(rows_of(owners[0], first_base), rows_of(owners[1], second_base))
    assert rows is not None
    assert values_of(rows) == owners[0] | owners[1]
    assert (np.diff(rows.offsets.astype(int)) > 0).all()
    assert (rows.rules[1:] != rows.rules[:-1]).all()


covers = st.dictionaries(st.integers(5, SIZE - 1), st.integers(1, 3))


@given(covers, covers, st.integers(0, 5), st.integers(0, 5))
def test_the_second_fills_what_the_first_leaves(
    first: dict[int, int], second: dict[int, int], first_base: int, second_base: int
) -> None:
    rows = fill(rows_of(first, first_base), rows_of(second, second_base))
    assert rows is not None
    assert values_of(rows) == second | first
    assert (np.diff(rows.offsets.astype(int)) > 0).all()
    assert (rows.rules[1:] != rows.rules[:-1]).all()


def test_rows_too_far_apart_stay_as_they_were() -> None:
    near, far = rows_of({5: 1}, 0), rows_of({5: 1}, 0)
    far = UnwindRows(2**32, far.offsets, far.rules, far.dictionary, COUNTERS)
    assert merge(near, far) is near
    assert merge(None, far) is far
