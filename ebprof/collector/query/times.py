"""Moments as people write them: RFC 3339, seconds since the epoch, `now`, `now-1h`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from ebprof.collector.store.question import BadQuestionError

FORM = "write it like now-1h, 2026-01-31T12:00:00Z or 1769860800"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_RELATIVE = re.compile(r"now(?:-([0-9]{1,9})([smhdw]))?")
_SECONDS = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MOST_MS = 7_258_118_400_000  # 2200: a DateTime64 of ClickHouse ends in 2299
_STEP = re.compile(r"([0-9]{1,9})([smhdw]?)")


@dataclass(frozen=True, slots=True)
class Range:
    """From start_ms on until before end_ms, in milliseconds since the epoch."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        """Its length, > 0."""
        return self.end_ms - self.start_ms


def parse_range(start: str, end: str, now_ms: int) -> Range:
    """A range of time; raises BadQuestionError."""
    found = Range(parse_time("from", start, now_ms), parse_time("to", end, now_ms))
    if found.length_ms <= 0:
        raise BadQuestionError(f"from ({start}) is not before to ({end})", FORM)
    return found


def parse_time(name: str, text: str, now_ms: int) -> int:
    """Milliseconds since the epoch; name: of the parameter. Raises BadQuestionError."""
    text = text.strip()
    found = _relative(text, now_ms)
    if found is None:
        found = int(float(text) * 1000) if _SECONDS.fullmatch(text) else _absolute(name, text)
    if not 0 <= found < _MOST_MS:
        raise BadQuestionError(f"{name} {text[:40]!r} is before 1970 or after 2200", FORM)
    return found


def _relative(text: str, now_ms: int) -> int | None:
    match = _RELATIVE.fullmatch(text)
    if match is None:
        return None
    return now_ms - (int(match[1]) * _UNITS[match[2]] * 1000 if match[1] else 0)


def _absolute(name: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", text.replace(" ", "+")))
    except ValueError:
        raise BadQuestionError(f"cannot read {name} {text[:40]!r}", FORM) from None
    if moment.tzinfo is None:
        raise BadQuestionError(f"{name} {text[:40]!r} has no time zone", FORM)
    return int((moment - _EPOCH).total_seconds() * 1000)


def parse_step(text: str) -> int:
    """A step in milliseconds: `10s`, `1h`, or seconds. Raises BadQuestionError."""
    match = _STEP.fullmatch(text.strip())
    step = int(match[1]) * _UNITS[match[2] or "s"] if match else 0
    if not step:
        raise BadQuestionError(f"cannot read step {text[:40]!r}", "write it like 10s, 5m or 1h")
    return step * 1000


def written(time_ms: int) -> str:
    """RFC 3339, in UTC."""
    moment = datetime.fromtimestamp(time_ms / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written_range(found: Range) -> dict[str, str]:
    """`from` and `to` of an answer."""
    return {"from": written(found.start_ms), "to": written(found.end_ms)}
