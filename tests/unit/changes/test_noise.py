"""What is no chance: bounds against what is known, and each of the reasons to doubt a change."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ebprof.changes.noise import (
    LEAST_WINDOWS,
    MOST_COSINES,
    long_run_variance,
    student_tail,
    verdicts,
)
from ebprof.changes.observed import Floats, Spans

WINDOWS = 40


def spans(after: int = WINDOWS, past: int = WINDOWS, before: int = 0) -> Spans:
    """The range is the last windows; the baseline the last ones of the past, or all of it."""
    at = np.arange(past + after)
    is_after = at >= past
    is_before = ~is_after & (at >= past - (before or past))
    return Spans(at * 10_000, np.full(len(at), 10.0), is_before, is_after, ~is_after)


def chance(*values: float, quantum: float = 0, of: Spans | None = None) -> float:
    of = of or spans()
    row = np.array([values], np.float64)
    return float(verdicts(row, np.array([quantum]), of.seconds, of).chance[0])


def around(mean: float, spread: float, seed: int, count: int = WINDOWS) -> list[float]:
    return np.random.default_rng(seed).normal(mean, spread, count).tolist()


def test_variance_of_noise_that_is_white_is_its_own() -> None:
    noise = np.random.default_rng(1).normal(3, 2, (400, 200))
    found, cosines = long_run_variance(noise)
    assert cosines == MOST_COSINES
    assert found.mean() == pytest.approx(4, rel=0.1)


def test_what_moves_slowly_varies_more_in_the_long_run() -> None:
    steps = np.random.default_rng(1).normal(0, 1, (400, 400))
    alike = np.zeros_like(steps)
    for at in range(1, 400):
        alike[:, at] = 0.8 * alike[:, at - 1] + steps[:, at]
    found, _ = long_run_variance(alike)
    assert found.mean() == pytest.approx(1 / 0.2**2, rel=0.25)


@pytest.mark.parametrize(
    ("freedom", "value", "probability"),
    [(3, 12.924, 0.001), (10, 4.587, 0.001), (10, 3.169, 0.01), (30, 3.646, 0.001)],
)
def test_students_tail_is_bounded_from_above(
    freedom: int, value: float, probability: float
) -> None:
    """Critical values of both tails, from tables."""
    (found,) = student_tail(np.array([value]), freedom)
    assert probability <= found < 10 * probability


def test_a_step_is_no_chance_and_the_same_level_is() -> None:
    assert chance(*around(100, 10, 1), *around(200, 10, 2)) < 1e-5
    assert chance(*around(100, 10, 1), *around(100, 10, 2)) > 0.01
    assert chance(*around(100, 10, 1), *[0.0] * WINDOWS) < 1e-5


def test_a_burst_of_a_window_is_no_change() -> None:
    late = around(100, 10, 2)
    late[7] = 5000
    assert chance(*around(100, 10, 1), *late) == 1


def test_what_began_in_the_midst_of_the_range_is_found() -> None:
    late = [*around(100, 10, 2, 25), *around(300, 10, 3, 15)]
    assert chance(*around(100, 10, 1), *late) < 1e-4


def test_samples_vary_by_chance() -> None:
    """Where none were seen before, so many have to come."""
    nothing = [0.0] * WINDOWS
    few, many = [1.0] * 8 + [0.0] * 32, [1.0] * WINDOWS
    assert chance(*nothing, *few, quantum=1) == pytest.approx(2 * 2**-8, rel=1e-3)
    assert chance(*nothing, *many, quantum=1) < 1e-11


def test_what_is_seldom_is_counted_by_windows() -> None:
    """A longer past proves more: it was not there all that time."""
    calls = [1e6, 2e6, 1.5e6, 2e6, 1e6, 2e6]
    short = chance(*[0.0] * 6, *calls, of=spans(6, 6))
    long = chance(*[0.0] * 180, *calls, of=spans(6, 180, 6))
    assert short > 0.01
    assert long < 1e-5


def test_without_windows_only_events_decide() -> None:
    of = spans(1, 1)
    assert of.past.sum() < LEAST_WINDOWS
    assert chance(100, 200, quantum=1, of=of) < 1e-5
    assert chance(100, 110, quantum=1, of=of) > 0.01
    bound = 2 * math.exp(-300 * (math.log(2) - _entropy(1 / 3)))
    assert chance(100, 200, quantum=1, of=of) == pytest.approx(bound)


def _entropy(share: float) -> float:
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def test_shares_of_a_whole_do_not_see_the_load() -> None:
    of = spans()
    load = np.array([[*around(100, 5, 1), *around(300, 15, 2)]])
    part: Floats = 0.1 * load + np.random.default_rng(3).normal(0, 0.2, load.shape)
    quanta = np.zeros(1)
    assert verdicts(part, quanta, load, of).chance[0] > 0.01
    assert verdicts(part, quanta, of.seconds, of).chance[0] < 1e-6
