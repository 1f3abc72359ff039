"""Bytes a second over the last minute, for sparklines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.index import grown

POINTS = 60
_POINT_S = 1.0
_EARLY_S = 0.05  # a tick that comes a little early ends the second all the same
# Half the memory of float32: 3 digits from 64 bytes to 68 GB a second, which is where it ends.
_SCALE = 2.0**-20
_MOST = float(np.finfo(np.float16).max)
_MOST_AT_ONCE = 1 << 18  # values: not all of a minute at once where there are many rows


class History:
    """A point a second for each row, and for `~other`; ticks may come more or less often."""

    def __init__(self, now: float, capacity: int) -> None:
        self._points = np.zeros((POINTS, capacity), np.float16)
        self._other = np.zeros(POINTS, np.float64)
        self._pending = np.zeros(capacity, np.float64)
        self._pending_other = 0.0
        self._begun = now
        self._next = 0
        self._known = 0

    def add(self, rows: NDArray[Any], moved: NDArray[np.int64]) -> None:
        """Bytes that distinct rows moved since the last tick."""
        self._pending[rows] += moved

    def add_other(self, moved: int) -> None:
        """The same for `~other`."""
        self._pending_other += moved

    def advance(self, now: float, count: int) -> None:
        """End the point once its second is over; several, when nobody came for so long.

        count: how many rows there are.
        """
        elapsed = now - self._begun
        if elapsed < _POINT_S - _EARLY_S:
            return
        points = min(POINTS, max(1, round(elapsed / _POINT_S)))
        at = (self._next + np.arange(points)) % POINTS
        self._points[at, :count] = _pack(np.maximum(self._pending[:count], 0) / elapsed)
        self._other[at] = max(0.0, self._pending_other) / elapsed
        self._pending[:count] = 0
        self._pending_other = 0.0
        self._begun = now
        self._next = (self._next + points) % POINTS
        self._known = min(POINTS, self._known + points)

    def sums(self, rows: NDArray[Any], starts: NDArray[Any]) -> NDArray[np.float32]:
        """float32[groups, points], oldest first: rows of one group stand together from starts."""
        at = self._order()
        if not len(starts):
            return np.zeros((0, len(at)), np.float32)
        step = max(1, _MOST_AT_ONCE // len(rows))
        parts = [
            np.add.reduceat(
                self._points[at[first : first + step, None], rows].astype(np.float32),
                starts,
                axis=1,
            )
            for first in range(0, len(at), step)
        ]
        together = np.concatenate([np.zeros((0, len(starts)), np.float32), *parts]).T
        rates: NDArray[np.float32] = np.divide(together, np.float32(_SCALE))
        return rates

    def sum(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Of some rows together, oldest first: float64[points]."""
        sums = (self._points[number][rows].sum(dtype=np.float64) for number in self._order())
        return np.fromiter(sums, np.float64, self._known) / _SCALE

    def other(self) -> NDArray[np.float64]:
        """The same for `~other`: float64[points]."""
        return self._other[self._order()]

    def clear(self, rows: NDArray[Any]) -> None:
        """Rows that become another flow's."""
        self._points[:, rows] = 0
        self._pending[rows] = 0

    def evict(self, evicted: NDArray[Any], kept: NDArray[Any]) -> None:
        """Move rows to `~other`; the kept ones are numbered anew, in the order given."""
        for number in range(POINTS):  # one at a time: all at once would be a copy of it all
            points = self._points[number]
            self._other[number] += points[evicted].sum(dtype=np.float64) / _SCALE
            points[: len(kept)] = points[kept]
        self._pending_other += float(self._pending[evicted].sum())
        self._pending[: len(kept)] = self._pending[kept]

    def grow(self, capacity: int) -> None:
        """Make room for more rows."""
        self._points = grown(self._points, capacity, axis=1)
        self._pending = grown(self._pending, capacity)

    def _order(self) -> NDArray[np.int64]:
        return (self._next - self._known + np.arange(self._known)) % POINTS


def _pack(rates: NDArray[np.float64]) -> NDArray[np.float16]:
    return np.minimum(rates * _SCALE, _MOST).astype(np.float16)
