"""What was observed, window by window: what all kinds of changes are looked for in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """Tables by what they are of: a kind of changes names the one that it looks at."""

    spans: Spans
    tables: Mapping[str, Table]
