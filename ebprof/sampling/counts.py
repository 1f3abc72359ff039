"""Samples by key: 44 bytes each, however many processes come and go.

In a run that is in slices of time, the slice is a part of the key. When there are too many keys,
two slices become one, all through the run: no count is lost, and memory has an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import SAMPLE_KEY
from ebprof.procfs.text import printable

COUNTED_KEY = np.dtype([("key", SAMPLE_KEY), ("count", np.uint64), ("comm", np.uint32)])
BUFFER = 4096
MAX_SLICED = 1 << 17
"""Keys, slices included: to write a profile of as many samples takes some 150 MB and 8 s."""

Rows = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class WindowCounts:
    """What was counted between two times.

    rows: COUNTED_KEY[n], with a count of 0 those of which only the name is known. comms: names of
    threads, by the numbers in rows. user, kernel: frames by the stacks' hashes in rows. slice_ns:
    length of the slices in rows, 0 for none.
    """

    rows: Rows
    comms: list[str]
    user: Mapping[int, NDArray[np.uint64]] = field(default_factory=dict)
    kernel: Mapping[int, NDArray[np.uint64]] = field(default_factory=dict)
    slice_ns: int = 0

    @property
    def total(self) -> int:
        """Samples."""
        return int(self.rows["count"].sum())


class SampleCounts:
    """Adds up counts by SAMPLE_KEY, and remembers the name of the thread with each.

    min_merge: so many rows wait at least before they are added up. max_sliced: so many keys may be
    in more than one slice of time.
    """

    def __init__(self, min_merge: int = 1 << 16, max_sliced: int = MAX_SLICED) -> None:
        self._min_merge = min_merge
        self._max_sliced = max_sliced
        self._doublings = 0
        self._merged: Rows = np.zeros(0, COUNTED_KEY)
        self._parts: list[Rows] = []
        self._waiting = 0
        self._buffer: Rows = np.zeros(BUFFER, COUNTED_KEY)
        self._used = 0
        self._comms: dict[bytes, int] = {b"": 0}

    def see(self, key: Any, comm: bytes, count: int = 0) -> None:
        """Add to the count of a key, whose thread has this name now."""
        if self._used == BUFFER:
            self._flush()
        row = self._buffer[self._used]
        row["key"], row["count"] = key, count
        row["comm"] = self._comms.setdefault(comm, len(self._comms))
        self._used += 1

    def add(self, keys: NDArray[Any], counts: NDArray[np.uint64]) -> None:
        """Add counts by key: SAMPLE_KEY[n], uint64[n]."""
        part = np.zeros(len(keys), COUNTED_KEY)
        part["key"], part["count"] = keys, counts
        self._append(part)

    @property
    def rows(self) -> Rows:
        """COUNTED_KEY[n], each key once, without those that were never counted."""
        self._flush()
        self._merge()
        return self._merged[self._merged["count"] > 0]

    def take(self) -> Rows:
        """All keys, with a count of 0 those of which only the name is known; forgets them, and what
        the numbers of names mean.
        """
        self._flush()
        self._merge()
        rows, self._merged = self._merged, np.zeros(0, COUNTED_KEY)
        self._comms = {b"": 0}
        return rows

    @property
    def joined_slices(self) -> int:
        """How many slices that were counted one slice of `rows` is."""
        self._flush()
        self._merge()
        return 1 << self._doublings

    @property
    def comms(self) -> list[str]:
        """Names of threads, by the numbers that rows have."""
        return [printable(name) for name in self._comms]

    def _flush(self) -> None:
        self._append(self._buffer[: self._used].copy())
        self._used = 0

    def _append(self, part: Rows) -> None:
        self._parts.append(part)
        self._waiting += len(part)
        if self._waiting > max(self._min_merge, len(self._merged)):
            self._merge()

    def _merge(self) -> None:
        if not self._waiting:
            return
        new = np.concatenate(self._parts)
        self._parts, self._waiting = [], 0
        new["key"]["slice"] >>= self._doublings
        rows = _add_up(np.concatenate([self._merged, new]))
        while len(rows) > self._max_sliced and rows["key"]["slice"].any():
            self._doublings += 1
            rows["key"]["slice"] >>= 1
            rows = _add_up(rows)
        self._merged = rows


def _add_up(rows: Rows) -> Rows:
    """Each key once."""
    words = np.ascontiguousarray(rows["key"]).view(np.uint64).reshape(len(rows), -1)
    order = np.lexsort(words.T)
    rows, words = rows[order], words[order]
    starts = np.flatnonzero(np.append(True, (words[1:] != words[:-1]).any(axis=1)))
    merged = rows[starts]
    merged["count"] = np.add.reduceat(rows["count"], starts)
    merged["comm"] = np.maximum.reduceat(rows["comm"], starts)
    return merged
