"""Times in all the forms that people and Grafana write."""

from __future__ import annotations

import pytest

from ebprof.collector.query import times
from ebprof.collector.query.times import Range, parse_range, parse_step, parse_time
from ebprof.collector.store.question import BadQuestionError

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("now-1h", NOW - 3_600_000),
        ("now-2d", NOW - 2 * 86_400_000),
        ("1790000000", NOW),
        ("1790000000.5", NOW + 500),
        ("2026-09-21T14:13:20Z", NOW),
        ("2026-09-21T16:13:20.250+02:00", NOW + 250),
        ("2026-09-21T16:13:20 02:00", NOW),  # a plus that nobody encoded
    ],
)
def test_forms(text: str, expected: int) -> None:
    assert parse_time("from", text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "now-",
        "now+1h",
        "-5",
        "2026-09-21",
        "1900-01-01T00:00:00Z",
        "1e9",
        "now-999999999w",
        "99999999999",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:00",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadQuestionError, match="from"):
        parse_time("from", text, NOW)


def test_a_range_goes_forward() -> None:
    assert parse_range("now-1m", "now", NOW) == Range(NOW - 60_000, NOW)
    with pytest.raises(BadQuestionError, match=r"from \(now\) is not before to \(now-1h\)"):
        parse_range("now", "now-1h", NOW)


def test_steps() -> None:
    assert [parse_step(one) for one in ("10", "10s", "5m", "1h")] == [
        10_000,
        10_000,
        300_000,
        3_600_000,
    ]
    for text in ("", "0", "x", "-1s", "1.5h"):
        with pytest.raises(BadQuestionError, match="cannot read step"):
            parse_step(text)


def test_times_are_written_in_utc() -> None:
    assert times.written(NOW) == "2026-09-21T14:13:20.000Z"
