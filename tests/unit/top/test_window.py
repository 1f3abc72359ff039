from __future__ import annotations

import numpy as np
import pytest

from ebprof.top.stacks import ROWS, Rows
from ebprof.top.window import POINTS, RecentRows, merged


def rows(*counted: tuple[int, int, int]) -> Rows:
    """(path, thread, count)."""
    return np.array(list(counted), ROWS)


def test_rows_of_one_path_and_thread_are_added_up() -> None:
    made = merged([rows((1, 0, 2), (2, 0, 5)), rows((1, 0, 3), (1, 1, 1))])
    assert made.tolist() == [(1, 0, 5), (1, 1, 1), (2, 0, 5)]
    assert len(merged([])) == 0


def test_only_the_last_seconds_are_in_the_window() -> None:
    samples = RecentRows()
    for number in range(POINTS + 5):
        samples.add(rows((number, 0, 1)), 1.0)
    assert samples.last(3)["path"].tolist() == [POINTS + 2, POINTS + 3, POINTS + 4]
    assert samples.seconds_of_last(3) == 3.0
    assert len(samples.recent) == POINTS
    assert len(samples.all()) == POINTS + 5 and samples.seconds == POINTS + 5


def test_short_increments_make_a_second_together() -> None:
    samples = RecentRows()
    began = [samples.add(rows((0, 0, 1)), 0.25) for _ in range(8)]
    assert began == [True, False, False, False] * 2
    assert samples.last(1).tolist() == [(0, 0, 4)]


@pytest.mark.parametrize("seconds", [0.96, 1.3])
def test_an_increment_of_about_a_second_is_one(seconds: float) -> None:
    samples = RecentRows()
    assert all(samples.add(rows((0, 0, 1)), seconds) for _ in range(3))


def test_clear_forgets_all() -> None:
    samples = RecentRows()
    samples.add(rows((0, 0, 1)), 1.0)
    samples.clear()
    assert (len(samples.all()), len(samples.last(10)), samples.seconds) == (0, 0, 0.0)
