"""Which windows are compared: of the range, of the baseline, and of some time before it.

Agents close windows by the clock. Ranges are cut to whole windows that all nodes have pushed, so
that the last one, which is on its way, is not taken for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebprof.changes import Spans
from ebprof.collector.query import sql
from ebprof.collector.query.plan import HOUR_MS, Plan
from ebprof.collector.query.times import Range
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.question import BadQuestionError, Session

BEFORE = "before"
BASELINES = {BEFORE: 0, "1h": HOUR_MS, "1d": DAY_MS, "7d": 7 * DAY_MS}
"""How long ago; 0: just before."""
MOST_NODES = 10_000
MOST_WINDOWS = 90
"""Of the range: longer ranges have longer windows."""
_PAST = 4
"""Ranges before the baseline's end that tell how much windows vary, or at least so long:"""
_LEAST_PAST_MS = 30 * 60_000
_LONG_MS = 6 * HOUR_MS
"""Longer ranges have enough windows of their own."""
_DEFAULT_STEP_MS = 10_000
_AWAY_MS = 60_000
_STEPS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)


@dataclass(frozen=True, slots=True)
class Timing:
    """Ranges in whole windows of step_ms. past: includes `before` where both are of windows.

    is_hourly: `before` is of sums of hours, as there is nothing finer any more.
    """

    step_ms: int
    before: Range
    after: Range
    past: Range
    is_hourly: bool = False

    @property
    def plan(self) -> Plan:
        """What to look at in which table."""
        joined = _joined(self.past, self.after)
        covered = Range(
            min(self.before.start_ms, joined[0].start_ms), max(one.end_ms for one in joined)
        )
        if self.step_ms % HOUR_MS == 0:
            return Plan(covered, hours=tuple(joined))
        return Plan(covered, tuple(joined), (self.before,) if self.is_hourly else ())

    def starts(self) -> NDArray[np.int64]:
        """int64[windows]: when they begin, in order; hours come with the others."""
        parts = [
            np.arange(one.start_ms, one.end_ms, self.step_ms, dtype=np.int64)
            for one in _joined(self.past, self.after)
        ]
        if self.is_hourly:
            parts.append(
                np.arange(self.before.start_ms, self.before.end_ms, HOUR_MS, dtype=np.int64)
            )
        return np.sort(np.concatenate(parts))

    def spans(self, is_covered: NDArray[np.bool_]) -> Spans:
        """Windows in which somebody pushed; is_covered: bool, by `starts`."""
        starts = self.starts()
        before = _within(starts, self.before)
        lengths = np.where(before, HOUR_MS if self.is_hourly else self.step_ms, self.step_ms)
        return Spans(
            starts,
            lengths / 1000,
            before & is_covered,
            _within(starts, self.after) & is_covered,
            _within(starts, self.past) & is_covered,
        )


@dataclass(frozen=True, slots=True)
class Clock:
    """How long windows of agents are, and when the last one ends that all have pushed."""

    window_ms: int
    end_ms: int


def clock(session: Session, within: Range) -> Clock:
    """What agents pushed in a range; without any, windows of 10 s until its end."""
    bound = {"from": within.start_ms, "to": within.end_ms, "most": MOST_NODES}
    rows = session.ask(sql.load("changes_clock"), bound).to_pylist()
    if not rows:
        return Clock(_DEFAULT_STEP_MS, within.end_ms)
    lengths = [
        (row["last"] - row["first"]) / (row["windows"] - 1) for row in rows if row["windows"] > 1
    ]
    length = round(float(np.median(lengths)) / 1000) * 1000 if lengths else _DEFAULT_STEP_MS
    length = max(length, 1000)
    latest = max(row["last"] for row in rows)
    last = min(row["last"] for row in rows if row["last"] >= latest - _AWAY_MS)
    return Clock(length, min(within.end_ms, last + length))


def timing(wanted: Range, baseline: str, found: Clock, now_ms: int, retention: Retention) -> Timing:
    """How to compare a range with a baseline; raises BadQuestionError where that is gone."""
    raw_since = now_ms - retention.raw_ms
    shift = BASELINES[baseline] or wanted.length_ms
    if shift < wanted.length_ms:
        raise BadQuestionError(
            f"the range is longer than the baseline {baseline} is ago", "ask for a shorter range"
        )
    if wanted.start_ms - shift < now_ms - retention.hour_ms:
        raise BadQuestionError("nothing is kept of the baseline", "choose another one")
    if wanted.start_ms < raw_since:
        return _hourly(wanted, baseline)
    step = _step_ms(wanted.length_ms, found.window_ms)
    end = min(wanted.end_ms, found.end_ms) // step * step
    start = -(-wanted.start_ms // step) * step
    if end - start < step:
        raise BadQuestionError(
            f"the range has no whole window of {step // 1000} s that was pushed",
            "ask for a longer range, or for one that does not end now",
        )
    after = Range(start, end)
    length = after.length_ms
    shift = BASELINES[baseline] or length
    before = Range(start - shift, end - shift)
    if before.start_ms < raw_since:
        hours = Range(before.start_ms // HOUR_MS * HOUR_MS, -(-before.end_ms // HOUR_MS) * HOUR_MS)
        return Timing(step, hours, after, _past(start, length, step, raw_since), is_hourly=True)
    return Timing(step, before, after, _past(before.end_ms, length, step, raw_since))


def _hourly(wanted: Range, baseline: str) -> Timing:
    """Of a range that there are sums of hours of alone."""
    step = HOUR_MS * -(-wanted.length_ms // (HOUR_MS * MOST_WINDOWS))
    start, end = wanted.start_ms // step * step, -(-wanted.end_ms // step) * step
    shift = BASELINES[baseline] or end - start
    before = Range(start - shift, end - shift)
    return Timing(step, before, Range(start, end), before)


def _past(end: int, length: int, step: int, since: int) -> Range:
    """The time before an end that tells how windows vary: the baseline's length at least."""
    wanted = max(_PAST * length, _LEAST_PAST_MS) if length <= _LONG_MS else length
    windows = min(wanted // step, _PAST * MOST_WINDOWS)
    return Range(max(end - windows * step, -(-since // step) * step), end)


def _step_ms(length: int, window: int) -> int:
    """Of a round number of windows, and so long that there are no more than MOST_WINDOWS."""
    least = max(window, length / MOST_WINDOWS)
    fitting = (1000 * one for one in _STEPS_S if 1000 * one >= least)
    return next((one for one in fitting if one % window == 0), max(window, _STEPS_S[-1] * 1000))


def _joined(past: Range, after: Range) -> Sequence[Range]:
    """The two in order of time; one where they meet."""
    if past.end_ms == after.start_ms:
        return [Range(past.start_ms, after.end_ms)]
    return [past, after]


def _within(starts: NDArray[np.int64], one: Range) -> NDArray[np.bool_]:
    return (starts >= one.start_ms) & (starts < one.end_ms)
