"""What each service used and moved in a range, and over it: `services`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ebprof.collector.flow_keys import COLUMNS
from ebprof.collector.query.flow_points import VALUES, FlowPoints, FlowPointsAnswer
from ebprof.collector.query.flows import FlowSums, flow_labels
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import Selector
from ebprof.collector.query.times import Range
from ebprof.collector.query.totals import Totals, TotalsAnswer
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import Asked
from ebprof.collector.store.rows import SERVICE

DEFAULT_BY = "service"
MOST_STEPS = 48
_STEPS_S = (10, 20, 30, 60, 120, 300, 600, 900)
_CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Service:
    """cpu_points: nanoseconds of each step; byte_points: bytes, both ways.

    traffic: sums of `flow_points.VALUES`; None where flows do not have what was asked for.
    """

    name: str
    cpu: int
    cpu_points: tuple[int, ...]
    traffic: tuple[int, ...] | None
    byte_points: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class ServicesAnswer:
    """first_ms: when the first step begins."""

    step_ms: int
    first_ms: int
    covered: Range
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class Services:
    """Services that a selector selects, or values of another label, in a range.

    by: `service`, or a label. now_ms, retention: as of a `Selection`.
    """

    selector: Selector
    range: Range
    by: str
    now_ms: int
    retention: Retention

    def answer(self, database: Asked) -> ServicesAnswer:
        """Those that used most CPU time first; raises BadQuestionError."""
        step = self._step_ms()
        label = SERVICE if self.by == DEFAULT_BY else self.by
        of = Selection(_CPU, renamed(self.selector), self.range, self.now_ms, self.retention)
        cpu: TotalsAnswer = Totals(of, (label,), step).answer(database)
        traffic = self._traffic(step).answer(database) if self._has_traffic(database) else None
        first = cpu.covered.start_ms // step * step
        count = -(-(cpu.covered.end_ms - first) // step)
        rows = _rows(cpu, traffic, self.by, first, count)
        ordered = sorted(rows, key=lambda one: (-one.cpu, -sum((one.traffic or ())[:2]), one.name))
        return ServicesAnswer(step, first, cpu.covered, tuple(ordered))

    def _step_ms(self) -> int:
        """Whole hours where there is nothing finer, and where that would be many samples."""
        least = self.range.length_ms / 1000 / MOST_STEPS
        found = next((1000 * step for step in _STEPS_S if step >= least), HOUR_MS)
        if found == HOUR_MS or self.range.start_ms < self.now_ms - self.retention.raw_ms:
            return -(-self.range.length_ms // (MOST_STEPS * HOUR_MS)) * HOUR_MS
        return found

    def _has_traffic(self, database: Asked) -> bool:
        others = {self.by, *self.selector.names} - set(COLUMNS)
        if not others:
            return True
        with database.session() as session:
            return others <= {*flow_labels(session)}

    def _traffic(self, step: int) -> FlowPoints:
        sums = FlowSums(self.selector, self.range, (self.by,), self.now_ms, self.retention)
        return FlowPoints(sums, step)


def renamed(selector: Selector) -> Selector:
    """`service` is the label `service_name`."""
    names = {DEFAULT_BY: SERVICE}
    return Selector(
        tuple(
            type(one)(names.get(one.name, one.name), one.operator, one.value)
            for one in selector.matchers
        )
    )


def _rows(
    cpu: TotalsAnswer, traffic: FlowPointsAnswer | None, by: str, first: int, count: int
) -> Iterable[Service]:
    step = cpu.step_ms
    used = {one.labels[0]: one.points for one in cpu.series}
    moved = {str(one.keys[by] or ""): one.points for one in traffic.series} if traffic else {}
    for name in {**used, **moved}:
        points = used.get(name, ())
        flows = moved.get(name, ())
        sums = tuple(int(sum(one[1 + place] for one in flows)) for place in range(len(VALUES)))
        pairs = [(one[0], int(one[1] + one[2])) for one in flows]
        yield Service(
            name,
            sum(value for _, value in points),
            _placed(points, first, step, count),
            sums if traffic else None,
            _placed(pairs, first, step, count) if traffic else None,
        )


def _placed(
    points: Sequence[tuple[float, int]], first: int, step: int, count: int
) -> tuple[int, ...]:
    """A value for each step."""
    values = [0] * count
    for start, value in points:
        place = (round(start * 1000) - first) // step
        if 0 <= place < count:
            values[place] += value
    return tuple(values)
