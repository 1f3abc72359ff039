"""Samples in columns say the same as samples one by one."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.model import Label, Lists, Sample, first_seen, grouped, samples_of, sums
from tests.builders import example, location, stack
from tests.unit.output.written import samples

NUMBERS = st.lists(st.integers(0, 9), max_size=6)


def lists(*values: list[int]) -> Lists:
    starts = np.append(0, np.cumsum([len(one) for one in values], dtype=np.int64))
    return Lists(starts, np.fromiter(chain.from_iterable(values), np.uint32))


@given(st.lists(samples(), max_size=5))
def test_samples_come_back_as_they_went_in(ones: list[Sample]) -> None:
    assert list(samples_of(ones)) == ones


def test_values_and_labels_come_back() -> None:
    labels = (Label("bytes", number=-4096, unit="bytes"), Label("span", "a;b"), Label("span", "c"))
    ones = [stack("main", 3, values=(3, -7), labels=labels), stack("main", 0, values=(0, 9))]
    assert list(samples_of(ones)) == ones


def test_each_string_frame_location_and_stack_is_in_its_table_once() -> None:
    tables = samples_of([stack("main;f;g_[i]", tid=tid) for tid in range(9)]).tables
    sizes = (len(tables.stacks), len(tables.locations), len(tables.frames), len(tables.mappings))
    assert sizes == (1, 2, 3, 1)
    assert len(set(tables.strings)) == len(tables.strings)


def test_equal_stacks_are_one_tuple() -> None:
    first, second = samples_of([stack("main;f"), stack("main;f", pid=2)])
    assert first.locations is second.locations


@pytest.mark.parametrize("at", [0, 3, -1])
def test_one_sample(at: int) -> None:
    assert example().samples[at] == list(example().samples)[at]


def test_some_samples() -> None:
    ones = example().samples
    assert list(ones[2:5]) == list(ones)[2:5]
    assert list(ones.take(ones.counts > 50)) == [one for one in ones if one.count > 50]
    with pytest.raises(IndexError):
        ones[len(ones)]


def test_stacks_and_locations_come_in_the_order_of_first_sight() -> None:
    ones = samples_of([stack("a;b"), stack("c"), stack("a;b"), stack("c;a")]).take(slice(1, None))
    names = [ones.tables.location_values[one].frames[0].function for one in ones.locations]
    assert names == ["c", "b", "a"]
    assert [ones.tables.stack(one) for one in ones.stacks] == [
        (location("c"),),
        (location("b"), location("a")),
        (location("a"), location("c")),
    ]


@given(st.lists(NUMBERS, max_size=5), st.data())
def test_lists(values: list[list[int]], data: st.DataObject) -> None:
    made = lists(*values)
    assert list(made.values()) == values
    assert [made[number].tolist() for number in range(len(made))] == values
    assert list(made.reversed().values()) == [one[::-1] for one in values]
    weights = np.arange(10) ** 2
    assert made.sums(weights).tolist() == [sum(one**2 for one in found) for found in values]
    if values:
        chosen = data.draw(st.lists(st.integers(0, len(values) - 1)))
        taken = made.take(np.array(chosen, np.int64))
        assert list(taken.values()) == [values[one] for one in chosen]


@given(st.lists(NUMBERS, max_size=5), st.lists(NUMBERS, min_size=10, max_size=10))
def test_lists_through_others(values: list[list[int]], others: list[list[int]]) -> None:
    found = lists(*values).through(lists(*others)).values()
    assert list(found) == [[one for number in each for one in others[number]] for each in values]


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 3), st.integers(0, 2**40))))
def test_rows_are_put_together(rows: list[tuple[int, int, int]]) -> None:
    first, second, counts = np.array(rows, np.int64).reshape(-1, 3).T
    expected: Counter[tuple[int, int]] = Counter()
    for one, other, count in rows:
        expected[one, other] += count
    groups = grouped(first, second)
    keys = zip(first[groups.first].tolist(), second[groups.first].tolist(), strict=True)
    assert list(zip(keys, groups.sums(counts).tolist(), strict=True)) == list(expected.items())


@pytest.mark.parametrize("counts", [[1, 2, 3], [2**53, 1, 2**53], [2**61, 2**61 - 1, -1]])
def test_sums_are_exact(counts: list[int]) -> None:
    found = sums(np.array([0, 2, 0]), np.array(counts, np.int64), 4)
    assert found.tolist() == [counts[0] + counts[2], 0, counts[1], 0]


@given(st.lists(st.integers(0, 50)))
def test_first_seen(numbers: list[int]) -> None:
    assert first_seen(np.array(numbers, np.uint32), 51).tolist() == list(dict.fromkeys(numbers))
