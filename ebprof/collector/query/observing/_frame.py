"""What the modules here get, and how they add up rows of the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.changes import Subject
from ebprof.changes.observed import Floats
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.timing import Timing
from ebprof.collector.store.question import Session

NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A selection in windows. selection: of CPU time; its selector is of labels of profiles.

    starts: int64[windows]. has_flows, has_profiles: whether they have what is selected by.
    """

    session: Session
    selection: Selection
    timing: Timing
    starts: NDArray[np.int64]
    has_flows: bool
    has_profiles: bool

    def parameters(self) -> dict[str, Any]:
        """What is bound in all queries."""
        return self.selection.parameters(self.timing.plan) | {"step": self.timing.step_ms}

    def amounts(self, points: Sequence[int], values: Sequence[float]) -> Floats:
        """float64[windows] of what a row has at some points; others are left out."""
        at = np.searchsorted(self.starts, points)
        found = np.zeros(len(self.starts))
        is_known = at < len(self.starts)
        is_known[is_known] = self.starts[at[is_known]] == np.asarray(points)[is_known]
        np.add.at(found, at[is_known], np.asarray(values, np.float64)[is_known])
        return found

    def seconds(self, row: Mapping[str, Any]) -> Floats:
        """float64[windows] of CPU seconds of a row, which has nanoseconds."""
        return self.amounts(row["points"], row["amounts"]) / NANOSECONDS


def add(amounts: dict[Subject, Floats], subject: Subject, more: Floats) -> None:
    """Add to what a subject has."""
    amounts[subject] = amounts[subject] + more if subject in amounts else more
