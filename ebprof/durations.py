"""Lengths of time as people write them: `10`, `10s`, `500ms`, `2m`, `1h`."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"ms": 10**6, "": 10**9, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|)")


def nanoseconds(text: str) -> int | None:
    """What was written, 0 included; None when it is no length of time."""
    match = _DURATION.fullmatch(text.strip())
    return int(Decimal(match[1]) * _UNITS[match[2]]) if match else None


def written(duration_ns: int) -> str:
    """`30s`, `0.25s`."""
    return f"{duration_ns / 1e9:.12g}s"
