"""Tests what changed against what varies anyway.

Windows that follow one another are alike: a busy minute is six busy windows of 10 s. How much the
mean of many windows varies is therefore taken from their slow movements, by equal-weighted cosines
(Lazarus, Lewis, Stock, Watson 2018, "HAR Inference: Recommendations for Practice"), and judged by
Student's distribution with as many degrees of freedom as there are cosines: few windows prove
little. What is counted (samples) varies by chance besides, and what was never seen before may have
been rare: both are a question of how many events fell into which range, answered by Chernoff's
bound. A change has to pass both tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebprof.changes.observed import Floats, Spans

LEAST_WINDOWS = 4
"""Of the past: with fewer, nobody knows how windows vary, and only events are tested."""
MOST_COSINES = 12
_FEWEST_COSINES = 3
_COSINES = 0.4
"""Of the 2/3rd power of the number of windows, as Lazarus et al. recommend."""
_WINDOWS_A_BURST = 18
"""A burst may be one window, and another one for each of so many."""
_LEFT = 0.5
"""Of a change, without the windows of a burst: with less left, the burst was all of it."""
_USUAL = 0.5
"""What is there in fewer of the windows is there by events."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """float64[n] each. before, after: amounts for each unit of what they are measured by. chance:
    at most the probability of as large a change where nothing has changed; 1 where a window or two
    made it.
    """

    before: Floats
    after: Floats
    chance: Floats


def verdicts(values: Floats, quanta: Floats, measure: Floats, spans: Spans) -> Verdicts:
    """Judge each row of values, float64[n, windows].

    quanta: float64[n], what one event amounts to; 0 where there are no events. measure:
    float64[windows] or float64[n, windows], what amounts are compared by: the length of windows,
    or the amount of a whole that they are shares of.
    """
    by = np.broadcast_to(measure, values.shape)
    before = _rate(values, by, spans.before)
    rest = values - before[:, None] * by
    change = rest[:, spans.after].mean(axis=1)
    chance = np.maximum(
        _by_windows(rest, change, spans),
        _by_events(values, _events(values, quanta, spans), by, spans),
    )
    chance[_is_burst(rest, change, spans)] = 1
    return Verdicts(before, _rate(values, by, spans.after), np.minimum(chance, 1))


def long_run_variance(values: Floats) -> tuple[Floats, int]:
    """Variance of sums of windows, divided by their number; and the degrees of freedom.

    values: float64[n, windows].
    """
    windows = values.shape[1]
    cosines = min(
        windows - 1, max(_FEWEST_COSINES, int(_COSINES * windows ** (2 / 3))), MOST_COSINES
    )
    at = (np.arange(windows) + 0.5) / windows
    waves = np.sqrt(2 / windows) * np.cos(np.pi * np.outer(np.arange(1, cosines + 1), at))
    return np.square(values @ waves.T).mean(axis=1), cosines


def student_tail(values: Floats, freedom: int) -> Floats:
    """At least how probable it is that Student's t is as far from 0.

    Wallace's transformation to a normal deviate (1959, Annals of Mathematical Statistics 30), and
    the usual bound on the tail of that.
    """
    squares = np.square(values)
    scale = (8 * freedom + 1) / (8 * freedom + 3)
    normal = scale * np.sqrt(freedom * np.log1p(squares / freedom))
    return np.asarray(np.exp(-np.square(normal) / 2))


def _rate(values: Floats, by: Floats, which: NDArray[np.bool_]) -> Floats:
    whole = by[:, which].sum(axis=1)
    return np.asarray(values[:, which].sum(axis=1) / np.where(whole > 0, whole, 1))


def _by_windows(rest: Floats, change: Floats, spans: Spans) -> Floats:
    if spans.past.sum() < LEAST_WINDOWS:
        return np.zeros(len(rest))
    variance, freedom = long_run_variance(rest[:, spans.past])
    deviation = np.sqrt(variance * (1 / spans.before.sum() + 1 / spans.after.sum()))
    size = np.abs(change)
    return student_tail(size / np.maximum(deviation, 1e-9 * np.maximum(size, 1e-300)), freedom)


def _events(values: Floats, quanta: Floats, spans: Spans) -> Floats:
    """What an event amounts to. Where nothing is counted and little is there, a window of activity
    is an event, the largest one for all; 0 where there are none.
    """
    is_usual = (values[:, spans.past] > 0).mean(axis=1) >= _USUAL
    largest = values[:, spans.past | spans.after].max(axis=1, initial=0)
    return np.where(quanta > 0, quanta, np.where(is_usual, 0, largest))


def _by_events(values: Floats, quanta: Floats, by: Floats, spans: Spans) -> Floats:
    """Chernoff's bound on how events fall into the two ranges (Hoeffding 1963, theorem 1)."""
    after, past = (values[:, which].sum(axis=1) for which in (spans.after, spans.past))
    whole = after + past
    share = after / np.where(whole > 0, whole, 1)
    lengths = [by[:, which].sum(axis=1) for which in (spans.after, spans.past)]
    expected = lengths[0] / np.where(sum(lengths) > 0, sum(lengths), 1)
    apart = _relative_entropy(share, expected)
    events = np.where(quanta > 0, whole / np.where(quanta > 0, quanta, 1), np.inf)
    return np.where(np.isinf(events), 0, 2 * np.exp(-np.where(np.isinf(events), 0, events) * apart))


def _relative_entropy(share: Floats, expected: Floats) -> Floats:
    """Of two coins."""
    tiny = 1e-12
    expected = np.clip(expected, tiny, 1 - tiny)
    parts = [
        np.where(one > 0, one * np.log(np.maximum(one, tiny) / other), 0)
        for one, other in ((share, expected), (1 - share, 1 - expected))
    ]
    return parts[0] + parts[1]


def _is_burst(rest: Floats, change: Floats, spans: Spans) -> NDArray[np.bool_]:
    """Whether more than half of the change is gone without the few windows that have most of it."""
    found = rest[:, spans.after] * np.sign(change)[:, None]
    windows = found.shape[1]
    if windows < LEAST_WINDOWS:
        return np.zeros(len(rest), bool)
    few = 1 + windows // _WINDOWS_A_BURST
    left = np.sort(found, axis=1)[:, :-few].mean(axis=1)
    return np.asarray(left < _LEFT * np.abs(change))
