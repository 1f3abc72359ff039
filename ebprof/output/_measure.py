"""How values of a sample type are written: `512.05kB`, `1.50s`, `12,345`, as `go tool pprof` does.

Source of units: github.com/google/pprof/blob/main/internal/measurement/measurement.go
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ebprof.model import Profile, SampleType
from ebprof.output._text import amount, printable

COUNT = "count"

_PARTS = re.compile(r"count/(10{1,6})")
_BYTES = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40, "PB": 1 << 50}
_TIMES = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "hrs": 3600 * 10**9}
_ALIASES = {
    **{"b": "B", "byte": "B", "kbyte": "kB", "kilobyte": "kB", "mbyte": "MB", "megabyte": "MB"},
    **{"gbyte": "GB", "gigabyte": "GB", "tbyte": "TB", "terabyte": "TB", "petabyte": "PB"},
    **{"nanosecond": "ns", "microsecond": "us", "μs": "us", "millisecond": "ms", "second": "s"},
    **{"sec": "s", "hour": "hrs", "hr": "hrs"},
    **{name.lower(): name for name in (*_BYTES, *_TIMES)},
}


class Measure(NamedTuple):
    """Units that values of a sample type are written in.

    steps: each unit's label and its size in values, smallest first. noun: what is counted, empty
    where the label says it.
    """

    steps: tuple[tuple[str, float], ...]
    noun: str = ""

    def number(self, value: int) -> str:
        """The value in the largest unit of which it has one."""
        if not value:
            return "0"
        label, size = max(
            (step for step in self.steps if abs(value) >= step[1]),
            key=lambda step: step[1],
            default=self.steps[0],
        )
        written = f"{value:,}" if size == 1 else f"{value / size:,.2f}"
        return written.removesuffix(".00") + label

    def text(self, value: int) -> str:
        """The same, and what is counted: `12,345 inuse_objects`."""
        return f"{self.number(value)} {self.noun}" if self.noun else self.number(value)


def measure(kind: SampleType) -> Measure:
    """How values of a type are written."""
    unit = kind.unit.lower()
    singular = unit.removesuffix("s") if len(unit) > 2 else unit
    name = _ALIASES.get(singular, "")
    for sizes in (_BYTES, _TIMES):
        if name in sizes:
            return Measure(tuple((label, size / sizes[name]) for label, size in sizes.items()))
    noun = printable(kind.name if unit == COUNT or _PARTS.fullmatch(unit) else kind.unit)
    return Measure((("", divisor(kind.unit)),), noun or printable(kind.name))


def divisor(unit: str) -> int:
    """How many values make a whole one: 100 for `count/100`, else 1."""
    parts = _PARTS.fullmatch(unit)
    return int(parts[1]) if parts else 1


def quantity(profile: Profile, count: int) -> str:
    """A number of samples, or a value of the type shown, in words."""
    if profile.is_sampled:
        return amount(count, "sample")
    return measure(profile.subject).text(count)
