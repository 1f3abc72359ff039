"""Address ranges that may overlap, searched by address."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_MOST_STEPS = 512
"""How far back a covering range is looked for: real symbols nest two or three deep."""


class RangeTable:
    """Ranges [start, end), both uint64[n], sorted by start."""

    def __init__(self, starts: npt.NDArray[np.uint64], ends: npt.NDArray[np.uint64]) -> None:
        self.starts = starts
        self.ends = ends
        # The highest end so far: a search backwards may stop where it is below the address.
        self._reach = np.maximum.accumulate(ends) if len(ends) else ends
        # One number at a time is read five times as fast by these as from an array.
        views = (np.ascontiguousarray(one).data for one in (starts, ends, self._reach))
        self._start_at, self._end_at, self._reach_at = views

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        return self.starts.nbytes + self.ends.nbytes + self._reach.nbytes

    def covering(self, address: int) -> Iterator[int]:
        """Indices of the ranges that hold an address, the last to start first."""
        if not 0 <= address < 1 << 64:
            return
        last = bisect_right(self._start_at, address) - 1
        for index in range(last, max(-1, last - _MOST_STEPS), -1):
            if self._reach_at[index] <= address:
                return
            if self._end_at[index] > address:
                yield index
