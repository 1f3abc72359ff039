"""Numbers of keys against a dict; values by number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.index import UNKNOWN, KeyIndex, Pool

SMALL = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), max_size=60)


def words(keys: list[tuple[int, int]]) -> np.ndarray:
    return np.array(keys, np.uint64).reshape(-1, 2)


@given(st.lists(SMALL, max_size=6))
def test_numbers_are_those_of_a_dict(batches: list[list[tuple[int, int]]]) -> None:
    index, numbers = KeyIndex(2), dict[tuple[int, int], int]()
    for batch in batches:
        found = index.find(words(batch)).tolist()
        assert found == [numbers.get(key, UNKNOWN) for key in batch]
        new = list(dict.fromkeys(key for key in batch if key not in numbers))
        assert index.add(words(new)).tolist() == [*range(len(numbers), len(numbers) + len(new))]
        numbers |= {key: len(numbers) + place for place, key in enumerate(new)}
        if len(numbers) > 20:
            kept = list(numbers)[::2]
            index.keep(np.array([numbers[key] for key in kept]))
            numbers = {key: place for place, key in enumerate(kept)}
    assert list(map(tuple, index.keys.tolist())) == list(numbers)


@pytest.mark.parametrize("shift", [0, 20, 40, 63])
def test_many_keys_that_differ_in_few_bits(shift: int) -> None:
    count = 50_000 if shift < 48 else 2
    keys = np.zeros((count, 3), np.uint64)
    keys[:, 1] = np.arange(count, dtype=np.uint64) << np.uint64(shift)
    index = KeyIndex(3)
    assert (index.find(keys) == UNKNOWN).all()
    index.add(keys)
    assert (index.find(keys) == np.arange(count)).all()
    keys[:, 0] = 1
    assert (index.find(keys) == UNKNOWN).all()


def test_kept_values_have_new_codes() -> None:
    pool = Pool("-")
    codes = np.array([pool.code(name) for name in ("a", "b", "c", "b")])
    assert codes.tolist() == [1, 2, 3, 2]
    kept = pool.keep(codes[[1, 2]])
    assert [pool.values[code] for code in kept] == ["b", "c"]
    assert pool.values == ["-", "b", "c"]
    assert pool.code("b") == kept[0]
