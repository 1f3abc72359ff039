"""Sums over time: how long a step is, and what there are steps and points enough of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ebprof.collector.query.plan import HOUR_MS, Plan, without_days
from ebprof.collector.query.times import Range
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import BadQuestionError

MOST_POINTS = 200_000
MOST_STEPS = 11_000
_STEPS_S = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
_WANTED_STEPS = 120


def default_step_ms(wanted: Range) -> int:
    """A round step that cuts a range into about 120."""
    least = wanted.length_ms / 1000 / _WANTED_STEPS
    return 1000 * next((step for step in _STEPS_S if step >= least), _STEPS_S[-1])


def check_steps(within: Range, step_ms: int) -> None:
    """Raises BadQuestionError where a range has too many steps."""
    if within.length_ms > step_ms * MOST_STEPS:
        raise BadQuestionError(f"there are more than {MOST_STEPS:,} steps", "ask for a larger step")


def check_points(rows: Sequence[Any], hint: str) -> None:
    """Raises BadQuestionError where there are more rows than MOST_POINTS."""
    if len(rows) > MOST_POINTS:
        raise BadQuestionError(f"there are more than {MOST_POINTS:,} points", hint)


def stepwise(found: Plan, step_ms: int, now_ms: int, retention: Retention) -> Plan:
    """By hours where steps are of whole ones, else all by what is finer.

    Raises BadQuestionError where that is gone.
    """
    if step_ms % HOUR_MS == 0 or not (found.hours or found.days):
        return without_days(found)
    if found.covered.start_ms < now_ms - retention.raw_ms:
        raise BadQuestionError("there are only sums of hours", "ask for a step of 1h or more")
    return Plan(found.covered, (found.covered,))
