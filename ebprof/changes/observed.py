"""What was observed, window by window: what all kinds of changes are looked for in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TRAFFIC = ("bytes_in", "bytes_out", "connections", "failures")
"""What is measured of callers and callees."""


class Subject(NamedTuple):
    """Whom or what a row is about. details: more that is known, as (name, text)."""

    service: str
    name: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Windows and the ranges they belong to. starts: int64[windows], milliseconds since the epoch;
    seconds: float64[windows], their lengths.

    before, after: bool[windows], the two ranges that are compared. past: those that tell how much
    windows vary anyway: as a rule the range before and some time before it.
    """

    starts: NDArray[np.int64]
    seconds: Floats
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    past: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Amounts of subjects: values: float64[subjects, windows].

    quanta: float64[subjects], what one event amounts to: the CPU time of a sample; 0 for what is
    not sampled. wholes: by service, float64[windows]: what amounts are shares of. Where there are
    fewer subjects than were seen, wholes have the others too.
    """

    subjects: tuple[Subject, ...]
    values: Floats
    quanta: Floats
    wholes: Mapping[str, Floats] = field(default_factory=dict)


def table_of(
    amounts: Mapping[Subject, Floats],
    quanta: Mapping[str, float] | None = None,
    wholes: Mapping[str, Floats] | None = None,
) -> Table:
    """A table of subjects. quanta: by service; wholes: without them, the sums of all subjects."""
    subjects = tuple(amounts)
    values = np.array([amounts[one] for one in subjects]) if subjects else np.zeros((0, 0))
    given = [(quanta or {}).get(one.service, 0.0) for one in subjects]
    return Table(subjects, values, np.array(given, np.float64), wholes or _sums(subjects, values))


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """Tables by what they are of: a kind of changes names the one that it looks at."""

    spans: Spans
    tables: Mapping[str, Table]


def _sums(subjects: Iterable[Subject], values: Floats) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    for subject, own in zip(subjects, values, strict=True):
        found[subject.service] = found[subject.service] + own if subject.service in found else own
    return found
