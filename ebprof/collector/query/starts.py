"""Which windows of flows there are."""

from __future__ import annotations

from dataclasses import dataclass

from ebprof.collector.query import sql
from ebprof.collector.query.times import Range
from ebprof.collector.store.question import Asked


@dataclass(frozen=True, slots=True)
class Starts:
    """When the windows of flows in a range began, to a step of so many milliseconds."""

    range: Range
    step_ms: int

    def answer(self, database: Asked) -> list[int]:
        """Multiples of the step, sorted."""
        bound = {"from": self.range.start_ms, "to": self.range.end_ms, "step": self.step_ms}
        with database.session() as session:
            rows = session.ask(sql.load("flow_starts"), bound).to_pylist()
        return [row["start"] for row in rows]
