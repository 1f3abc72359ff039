"""Who talks to whom over time: `flows/series`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebprof.collector.query import sql
from ebprof.collector.query.flows import FlowSums
from ebprof.collector.query.plan import Plan
from ebprof.collector.query.steps import (
    MOST_POINTS,
    check_points,
    check_steps,
    default_step_ms,
    stepwise,
)
from ebprof.collector.query.times import Range
from ebprof.collector.store.question import Asked
from ebprof.wire.flows import ERRORS

VALUES = ("tx_bytes", "rx_bytes", "connections", "failed_connects", "retransmits")
"""What a point has, behind the start of its step."""
_SUMS = ("tx_bytes", "rx_bytes", "connections", "retransmits")


@dataclass(frozen=True, slots=True)
class FlowSeries:
    """Flows with the same keys. points: start of the step in seconds, then VALUES, in order."""

    keys: dict[str, Any]
    points: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class FlowPointsAnswer:
    """covered: the range that was added up."""

    step_ms: int
    covered: Range
    series: tuple[FlowSeries, ...]


@dataclass(frozen=True, slots=True)
class FlowPoints:
    """Sums of flows by step. step_ms: 0 for about 120 steps."""

    sums: FlowSums
    step_ms: int = 0

    def answer(self, database: Asked) -> FlowPointsAnswer:
        """Series in the order of keys; steps in which nothing moved have no point.

        Raises BadQuestionError, also where there would be too many points to show.
        """
        step = self.step_ms or default_step_ms(self.sums.range)
        check_steps(self.sums.range, step)
        sums = self.sums
        found = stepwise(sums.plan(), step, sums.now_ms, sums.retention)
        bound = {**found.parameters(), **sums.bound(), "step": step, "most": MOST_POINTS + 1}
        with database.session() as session:
            sums.check(session)
            rows = session.ask(self._sql(found), bound).to_pylist()
        check_points(rows, "ask for a larger step, by fewer keys, or for fewer flows")
        return FlowPointsAnswer(step, found.covered, self._series(rows))

    def _sql(self, found: Plan) -> str:
        selected = self.sums.selected()
        sums = [f"sum(flows.{name}) AS {name}" for name in _SUMS]
        failed = " + ".join(f"flows.{name}" for name in ERRORS)
        places = {
            "keys": ", ".join(dict.fromkeys(self.sums.columns())),
            "selected": ", ".join(selected),
            "columns": ", ".join((*selected, *_SUMS, *ERRORS)),
            "sums": ", ".join((*sums, f"sum({failed}) AS failed_connects")),
            "matching": self.sums.conditions(),
        }
        return sql.fill("flow_points_by_hours" if found.hours else "flow_points", places)

    def _series(self, rows: list[dict[str, Any]]) -> tuple[FlowSeries, ...]:
        columns = self.sums.columns()
        found: dict[tuple[Any, ...], FlowSeries] = {}
        points: dict[tuple[Any, ...], list[tuple[float, ...]]] = {}
        for row in rows:
            key = tuple(row[column] for column in columns)
            values = (row[name] for name in VALUES)
            points.setdefault(key, []).append((row["point"] / 1000, *values))
            if key not in found:
                found[key] = FlowSeries(self.sums.keys(row), ())
        return tuple(FlowSeries(found[key].keys, tuple(points[key])) for key in points)
