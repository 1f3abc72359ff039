"""How long what was stored is kept: `raw=3d,1h=90d,1d=400d`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ebprof.errors import UsageError

DAY_MS = 24 * 3600 * 1000
FORM = "write it like raw=3d,1h=90d,1d=400d"
_PART = re.compile(r"(raw|1h|1d)=(0|[1-9][0-9]{0,3})d")
_FIELDS = {"raw": "raw_ms", "1h": "hour_ms", "1d": "day_ms"}


@dataclass(frozen=True, slots=True)
class Retention:
    """How long tables keep what they have, in milliseconds: samples, and sums of hours and days."""

    raw_ms: int = 3 * DAY_MS
    hour_ms: int = 90 * DAY_MS
    day_ms: int = 400 * DAY_MS

    def __str__(self) -> str:
        days = (self.raw_ms // DAY_MS, self.hour_ms // DAY_MS, self.day_ms // DAY_MS)
        return "raw={}d,1h={}d,1d={}d".format(*days)

    def lengths(self) -> dict[str, int]:
        """How long each table keeps what it has; others have no times, or keep it for ever."""
        of = {"raw": self.raw_ms, "1h": self.hour_ms, "1d": self.day_ms}
        return {table: of[level] for level, tables in _TABLES.items() for table in tables} | {
            "stacks": self.day_ms + DAY_MS,
            "series": self.day_ms + DAY_MS,
            "flow_labels": self.day_ms + DAY_MS,
        }


_TABLES = {
    "raw": ("samples", "flows"),
    "1h": ("samples_1h", "services_1h", "trees_1h", "flows_1h"),
    "1d": ("samples_1d", "services_1d", "trees_1d", "totals_1h"),
}


def parse(text: str) -> Retention:
    """A retention; parts that are not named are the default. Raises UsageError.

    A level of 0 days is left out: its sums are kept no longer than what is finer.
    """
    found = Retention()
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"cannot read retention {part.strip()!r}", FORM)
        found = replace(found, **{_FIELDS[match[1]]: int(match[2]) * DAY_MS})
    if not found.raw_ms:
        raise UsageError(f"retention {text!r}: samples are kept for a day at least", FORM)
    found = replace(found, hour_ms=found.hour_ms or found.raw_ms)
    found = replace(found, day_ms=found.day_ms or found.hour_ms)
    if not found.raw_ms <= found.hour_ms <= found.day_ms:
        raise UsageError(f"retention {text!r}: what is coarser is kept as long, or longer", FORM)
    return found
