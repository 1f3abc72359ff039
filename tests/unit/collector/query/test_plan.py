"""Every moment of a range is answered for by one table, the coarsest that is exact there."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.collector.query.plan import HOUR_MS, Plan, plan
from ebprof.collector.query.times import Range
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.question import BadQuestionError

NOW = 20_717 * DAY_MS + 14 * HOUR_MS + 800_123
RETENTION = Retention()


def all_ranges(found: Plan) -> list[Range]:
    return sorted((*found.raw, *found.hours, *found.days), key=lambda one: one.start_ms)


@given(st.integers(1, 300 * DAY_MS), st.integers(0, 300 * DAY_MS))
def test_ranges_cover_what_was_asked_for_once(length: int, ago: int) -> None:
    wanted = Range(NOW - ago - length, NOW - ago)
    found = plan(wanted, NOW, RETENTION, [])
    ranges = all_ranges(found)
    assert ranges[0].start_ms == found.covered.start_ms
    assert ranges[-1].end_ms == found.covered.end_ms
    for one, other in pairwise(ranges):
        assert one.end_ms == other.start_ms
    assert found.covered.start_ms <= wanted.start_ms
    assert found.covered.end_ms >= wanted.end_ms
    if wanted.start_ms >= NOW - RETENTION.raw_ms:
        assert found.covered == wanted
    for unit, parts in ((HOUR_MS, found.hours), (DAY_MS, found.days)):
        assert all(not one.start_ms % unit and not one.end_ms % unit for one in parts)
    raw_since = NOW - RETENTION.raw_ms
    assert all(one.start_ms >= raw_since - HOUR_MS for one in found.raw)
    assert len(found.raw) <= 2
    assert len(found.hours) <= 2


def test_days_inside_hours_around_and_samples_at_the_edges() -> None:
    found = plan(Range(NOW - 2 * DAY_MS, NOW), NOW, RETENTION, [])
    midnight = NOW // DAY_MS * DAY_MS
    assert found.days == (Range(midnight - DAY_MS, midnight),)
    assert [one.length_ms for one in found.hours] == [9 * HOUR_MS, 14 * HOUR_MS]
    assert [one.length_ms for one in found.raw] == [HOUR_MS - 800_123, 800_123]


def test_short_ranges_are_read_from_samples() -> None:
    wanted = Range(NOW - HOUR_MS, NOW)
    assert plan(wanted, NOW, RETENTION, []) == Plan(wanted, (wanted,))


def test_labels_that_rollups_lack_need_samples() -> None:
    wanted = Range(NOW - 2 * DAY_MS, NOW)
    assert plan(wanted, NOW, RETENTION, ["pod"]).raw == (wanted,)
    with pytest.raises(BadQuestionError, match="pod cannot be told apart before"):
        plan(Range(NOW - 4 * DAY_MS, NOW), NOW, RETENTION, ["pod"])


def test_old_ranges_are_widened_and_say_so() -> None:
    found = plan(Range(NOW - 10 * DAY_MS, NOW - 9 * DAY_MS), NOW, RETENTION, [])
    assert found.raw == ()
    assert found.covered == Range(
        (NOW - 10 * DAY_MS) // HOUR_MS * HOUR_MS, ((NOW - 9 * DAY_MS) // HOUR_MS + 1) * HOUR_MS
    )


@given(st.integers(2, 300 * 24), st.sets(st.integers(0, 300 * 24), max_size=20))
def test_what_is_left_of_a_plan_is_what_is_not_gone(hours: int, gone: set[int]) -> None:
    wanted = Range(NOW - hours * HOUR_MS, NOW)
    found = plan(wanted, NOW, RETENTION, [])
    start = NOW // DAY_MS * DAY_MS - 300 * DAY_MS
    starts = {start + number * HOUR_MS for number in gone}
    days = {one for one in starts if not one % DAY_MS}
    left = found.without(starts, days)
    for unit, before, after, of in (
        (HOUR_MS, found.hours, left.hours, starts),
        (DAY_MS, found.days, left.days, days),
    ):
        every = {at for one in before for at in range(one.start_ms, one.end_ms, unit)}
        kept = [at for one in after for at in range(one.start_ms, one.end_ms, unit)]
        assert kept == sorted(every - of)
    assert (left.raw, left.covered) == (found.raw, found.covered)
    assert left.share <= found.share == 1
