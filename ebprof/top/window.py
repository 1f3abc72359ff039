"""Samples of the last minute, second by second, and of the whole run, as they came."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from ebprof.top.stacks import ROWS, Rows

POINTS = 60
POINT_S = 1.0
_EARLY_S = 0.05  # an increment that ends a little early ends the second all the same
_LEAST_MERGE = 1 << 16


@dataclass(slots=True)
class Second:
    """What was counted in about a second. apart: samples of ebprof itself, in no rows."""

    seconds: float = 0.0
    apart: int = 0
    parts: list[Rows] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether the next increment belongs to another second."""
        return self.seconds >= POINT_S - _EARLY_S


class RecentRows:
    """Rows by path and thread: those of each of the last POINTS seconds, and all."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all that came so far."""
        self.recent: deque[Second] = deque(maxlen=POINTS)
        self.seconds = 0.0
        self.apart = 0
        self._merged = np.zeros(0, ROWS)
        self._parts: list[Rows] = []
        self._waiting = 0

    def add(self, rows: Rows, seconds: float, apart: int = 0) -> bool:
        """Take an increment in; returns whether it began a new second."""
        is_new = not self.recent or self.recent[-1].is_over
        if is_new:
            self.recent.append(Second())
        self.recent[-1].seconds += seconds
        self.recent[-1].apart += apart
        self.recent[-1].parts.append(rows)
        self.seconds += seconds
        self.apart += apart
        self._parts.append(rows)
        self._waiting += len(rows)
        if self._waiting > max(_LEAST_MERGE, len(self._merged)):
            self.all()
        return is_new

    def all(self) -> Rows:
        """ROWS[n] of the whole run, each path and thread once."""
        if self._parts:
            self._merged = merged([self._merged, *self._parts])
            self._parts, self._waiting = [], 0
        return self._merged

    def last(self, seconds: int) -> Rows:
        """ROWS[n] of the last so many seconds, each path and thread once."""
        chosen = list(self.recent)[-seconds:]
        return merged([part for one in chosen for part in one.parts])

    def seconds_of_last(self, seconds: int) -> float:
        """How long those seconds were."""
        return sum(one.seconds for one in list(self.recent)[-seconds:])

    def apart_of_last(self, seconds: int) -> int:
        """Samples of ebprof itself in those seconds."""
        return sum(one.apart for one in list(self.recent)[-seconds:])


def merged(parts: list[Rows]) -> Rows:
    """Rows added up by path and thread."""
    rows = np.concatenate([np.zeros(0, ROWS), *parts])
    keys = rows["path"].astype(np.int64) << 32 | rows["thread"]
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    found = rows[order[starts]]
    if len(found):
        found["count"] = np.add.reduceat(rows["count"][order], starts)
    return found
