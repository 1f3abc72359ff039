"""Totals over time, by the value of a label: `profiles/series`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebprof.collector.query import sql
from ebprof.collector.query.plan import Plan
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.steps import (
    MOST_POINTS,
    check_points,
    check_steps,
    default_step_ms,
    stepwise,
)
from ebprof.collector.query.times import Range
from ebprof.collector.store.question import Asked, BadQuestionError

_SEPARATOR = ","
"""Of labels as the SQL gets them: no name of a label has it."""


@dataclass(frozen=True, slots=True)
class Series:
    """Values of the labels and their points: [start of the step in seconds, sum], in order."""

    labels: tuple[str, ...]
    points: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class TotalsAnswer:
    """covered: the range that was added up, which is what was asked for unless it is old."""

    step_ms: int
    covered: Range
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of a selection by step. by: labels; none for one series of all."""

    selection: Selection
    by: tuple[str, ...] = ()
    step_ms: int = 0

    def answer(self, database: Asked) -> TotalsAnswer:
        """Series in the order of labels; steps without samples have no point.

        Raises BadQuestionError, also where there would be too many points to show.
        """
        step = self.step_ms or default_step_ms(self.selection.range)
        found = self._plan(step)
        check_steps(found.covered, step)
        bound = self.selection.parameters(found)
        bound |= {"step": step, "by": _SEPARATOR.join(self.by), "most": MOST_POINTS + 1}
        with database.session() as session:
            self.selection.check(session, *self.by)
            rows = session.ask(sql.load("totals", self.selection.selector), bound).to_pylist()
        check_points(rows, "ask for a larger step or by less")
        return TotalsAnswer(step, found.covered, _series(rows))

    def _plan(self, step: int) -> Plan:
        """By hours where steps are of whole ones, else all by samples."""
        found = self.selection.plan(*self.by)
        now, retention = self.selection.now_ms, self.selection.retention
        if found.covered.start_ms < now - retention.hour_ms:
            raise BadQuestionError("there are only sums of days", "ask for a later range")
        return stepwise(found, step, now, retention)


def _series(rows: list[dict[str, Any]]) -> tuple[Series, ...]:
    points: dict[tuple[str, ...], list[tuple[float, int]]] = {}
    for row in rows:
        points.setdefault(tuple(row["found"]), []).append((row["point"] / 1000, row["value"]))
    return tuple(Series(labels, tuple(found)) for labels, found in points.items())
