"""How long what is stored is kept, as people write it."""

from __future__ import annotations

import pytest

from ebprof.collector.retention import DAY_MS, Retention, parse
from ebprof.errors import UsageError


def test_parts_that_are_not_named_are_the_default() -> None:
    assert parse("raw=7d") == Retention(7 * DAY_MS)
    assert parse("1d=500d, raw=1d") == Retention(DAY_MS, day_ms=500 * DAY_MS)
    assert str(parse("raw=1d,1h=2d,1d=3d")) == "raw=1d,1h=2d,1d=3d"


def test_a_level_of_no_days_is_kept_as_long_as_what_is_finer() -> None:
    assert parse("raw=3d,1h=0d,1d=400d") == Retention(3 * DAY_MS, 3 * DAY_MS)
    assert parse("raw=3d,1h=30d,1d=0d") == Retention(3 * DAY_MS, 30 * DAY_MS, 30 * DAY_MS)
    assert parse("raw=9d,1h=0d,1d=0d") == Retention(*[9 * DAY_MS] * 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raw=0d", "samples are kept for a day at least"),
        ("raw=03d", "cannot read retention 'raw=03d'"),
        ("raw=3", "cannot read retention 'raw=3'"),
        ("1m=3d", "cannot read retention '1m=3d'"),
        ("raw=9d,1h=8d", "what is coarser is kept as long"),
        ("1h=30d,1d=20d", "what is coarser is kept as long"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse(text)
