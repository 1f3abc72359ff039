"""Which tables answer for a range of time: coarse ones inside, fine ones at both edges.

Rollups have the same sums as samples, so that a range whose edges samples are there for is exact.
Where they are not any more, the range is widened to whole hours or days, and its reader is told.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

from ebprof.collector.query.times import Range, written
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.question import BadQuestionError

HOUR_MS = 3600 * 1000
_EMPTY = Range(0, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Ranges of each table in order of time; `covered` is all of them together."""

    covered: Range
    raw: tuple[Range, ...] = ()
    hours: tuple[Range, ...] = ()
    days: tuple[Range, ...] = ()

    def parameters(self) -> dict[str, int]:
        """Borders by the names that SQL has for them; what is not used is an empty range."""
        found: dict[str, int] = {}
        for name in ("raw", "hours", "days"):
            ranges = getattr(self, name)
            for number, one in enumerate((*ranges, *[_EMPTY] * (2 - len(ranges))), 1):
                found[f"{name}_from_{number}"] = one.start_ms
                found[f"{name}_to_{number}"] = one.end_ms
        return found

    @property
    def share(self) -> float:
        """How much of what is covered the ranges are."""
        ranges = (*self.raw, *self.hours, *self.days)
        return sum(one.length_ms for one in ranges) / self.covered.length_ms

    def without(self, hours: Set[int], days: Set[int]) -> Plan:
        """What is left without hours and days that begin at some times."""
        hours_left, days_left = _left(self.hours, hours, HOUR_MS), _left(self.days, days, DAY_MS)
        return replace(self, hours=hours_left, days=days_left)


def plan(wanted: Range, now_ms: int, retention: Retention, fine_labels: list[str]) -> Plan:
    """How to answer for a range.

    fine_labels: those asked for that rollups do not have. Raises BadQuestionError where samples
    that have them are gone.
    """
    raw_since = now_ms - retention.raw_ms
    if fine_labels and wanted.start_ms < raw_since:
        raise BadQuestionError(
            f"{', '.join(fine_labels)} cannot be told apart before {written(raw_since)}",
            "ask for a later range, or leave these labels out",
        )
    if fine_labels or (wanted.start_ms >= raw_since and wanted.length_ms < 2 * HOUR_MS):
        return Plan(wanted, (wanted,))
    hours_since = now_ms - retention.hour_ms
    start = _start(wanted.start_ms, raw_since, hours_since)
    end = _end(wanted.end_ms, raw_since, hours_since)
    return _layers(Range(start, end))


def _left(ranges: tuple[Range, ...], gone: Set[int], unit_ms: int) -> tuple[Range, ...]:
    found: list[Range] = []
    for one in ranges:
        cuts = sorted(start for start in gone if one.start_ms <= start < one.end_ms)
        starts, ends = [one.start_ms, *(cut + unit_ms for cut in cuts)], [*cuts, one.end_ms]
        found += map(Range, starts, ends)
    return tuple(one for one in found if one.length_ms)


def without_days(found: Plan) -> Plan:
    """The same with hours in the place of days."""
    inner = sorted((*found.hours, *found.days), key=lambda one: one.start_ms)
    if not inner:
        return found
    return Plan(found.covered, found.raw, (Range(inner[0].start_ms, inner[-1].end_ms),))


def _start(start: int, raw_since: int, hours_since: int) -> int:
    """The start, moved to where the finest table that has it begins a row."""
    if start >= raw_since:
        return start
    return _down(start, HOUR_MS if start >= hours_since else DAY_MS)


def _end(end: int, raw_since: int, hours_since: int) -> int:
    if end >= raw_since:
        return end
    return _up(end, HOUR_MS if end >= hours_since else DAY_MS)


def _layers(covered: Range) -> Plan:
    """Whole days from the table of days, what is left of hours, and the edges from samples."""
    start, end = covered.start_ms, covered.end_ms
    first_hour, last_hour = _up(start, HOUR_MS), _down(end, HOUR_MS)
    if first_hour >= last_hour:
        return Plan(covered, (covered,))
    raw = _edges(start, first_hour, last_hour, end)
    first_day, last_day = _up(first_hour, DAY_MS), _down(last_hour, DAY_MS)
    if first_day >= last_day:
        return Plan(covered, raw, (Range(first_hour, last_hour),))
    hours = _edges(first_hour, first_day, last_day, last_hour)
    return Plan(covered, raw, hours, (Range(first_day, last_day),))


def _edges(start: int, inner_start: int, inner_end: int, end: int) -> tuple[Range, ...]:
    both = Range(start, inner_start), Range(inner_end, end)
    return tuple(one for one in both if one.length_ms)


def _down(time_ms: int, unit_ms: int) -> int:
    return time_ms // unit_ms * unit_ms


def _up(time_ms: int, unit_ms: int) -> int:
    return -(-time_ms // unit_ms) * unit_ms
