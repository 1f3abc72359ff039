"""Arrays that grow, and what is in one."""

from __future__ import annotations

import numpy as np
import pytest

from ebprof.model.arrays import Growing, distinct


@pytest.mark.parametrize("values", [[], [3], [2, 2], [5, -1, 5, 0, -1], [[1, 2], [2, 1]]])
def test_distinct_values_are_those_of_numpy(values: list[int]) -> None:
    array = np.array(values, np.int64)
    assert distinct(array).tolist() == np.unique(array).tolist()


def test_what_is_added_stays() -> None:
    numbers = Growing()
    for start in range(0, 3000, 7):
        numbers.extend(range(start, start + 7))
    assert numbers.values.tolist() == list(range(len(numbers)))
    assert len(numbers) == 3003
