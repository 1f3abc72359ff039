"""The flows and what they counted: columns with a row a flow, no object a flow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import FLOW_COUNTS, FLOW_KEY, LATENCY_MAX
from ebprof.index import UNKNOWN, KeyIndex, grown
from ebprof.traffic.history import History

MAX_ROWS = 65536
"""About 30 MB. Beyond it, the flows that were idle for longest go to `~other`."""
COUNTS = FLOW_COUNTS.itemsize // 8
_KEY_WORDS = FLOW_KEY.itemsize // 8
_EVICTED_SHARE = 4  # 1/4 of the rows at once, so that the index is seldom rebuilt

_STEP = 8192  # flows at once: what is copied on the way stays in the processor's cache


def count_columns(name: str) -> range:
    """Where a field of FLOW_COUNTS stands in a row of counts."""
    assert FLOW_COUNTS.fields is not None  # it is a struct
    dtype, offset = FLOW_COUNTS.fields[name][:2]
    return range(offset // 8, (offset + dtype.itemsize) // 8)


_LARGEST = count_columns(LATENCY_MAX)[0]


def joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of two together, of each row: int64[..., COUNTS]."""
    both: NDArray[np.int64] = first + second
    both[..., _LARGEST] = np.maximum(first[..., _LARGEST], second[..., _LARGEST])
    return both


def joined_rows(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of all rows together: int64[COUNTS] of int64[n, COUNTS]."""
    together: NDArray[np.int64] = counts.sum(axis=0)
    together[_LARGEST] = counts[:, _LARGEST].max(initial=0)
    return together


def joined_groups(counts: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same of groups of rows that stand together, from `starts` on: int64[groups, COUNTS]."""
    together: NDArray[np.int64] = np.add.reduceat(counts, starts, axis=0)
    together[:, _LARGEST] = np.maximum.reduceat(counts[:, _LARGEST], starts)
    return together


_TX_BYTES, _RX_BYTES = (count_columns(name)[0] for name in ("tx_bytes", "rx_bytes"))


class FlowTable:
    """Flows with their counts since the start, and in the window that `begin_window` began.

    Every count that comes in is, at any time, in exactly one row or in `~other`. One can be
    negative: what two processes moved on one socket at the same time is set right at a later drain.
    Times are seconds of any clock that does not go back.
    """

    def __init__(self, now: float, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._index = KeyIndex(_KEY_WORDS)
        capacity = self._index.capacity
        self._totals = np.zeros((capacity, COUNTS), np.int64)
        self._recent = np.zeros((capacity, COUNTS), np.int64)
        self._process = np.zeros(capacity, np.int32)
        self._first_seen = np.zeros(capacity, np.float64)
        self._last_seen = np.zeros(capacity, np.float64)
        self.history = History(now, capacity)
        self.other_totals = np.zeros(COUNTS, np.int64)
        self.other_recent = np.zeros(COUNTS, np.int64)
        self._marked = self._before = np.zeros((0, COUNTS), np.int64)
        self.is_marked = False
        """Whether there is a mark to compare with."""
        self.evicted = 0
        """Flows that made room for others; it also tells when rows were numbered anew."""

    def __len__(self) -> int:
        return len(self._index)

    @property
    def keys(self) -> NDArray[Any]:
        """FLOW_KEY[flows], by row."""
        return self._index.keys.view(FLOW_KEY)[:, 0]

    @property
    def totals(self) -> NDArray[np.int64]:
        """int64[flows, COUNTS] since a flow's first sight, in the order of FLOW_COUNTS."""
        return self._totals[: len(self)]

    @property
    def recent(self) -> NDArray[np.int64]:
        """The same, in this window."""
        return self._recent[: len(self)]

    @property
    def process(self) -> NDArray[np.int32]:
        """int32[flows], the row of the flow's process in `Processes`."""
        return self._process[: len(self)]

    @process.setter
    def process(self, rows: NDArray[np.int32]) -> None:
        self._process[: len(self)] = rows

    @property
    def first_seen(self) -> NDArray[np.float64]:
        """Seconds, by row."""
        return self._first_seen[: len(self)]

    @property
    def before_mark(self) -> NDArray[np.int64]:
        """int64[flows, COUNTS] until the last mark, from the one before or the start."""
        return self._before[: len(self)]

    @property
    def at_mark(self) -> NDArray[np.int64]:
        """What `totals` were at the last mark."""
        return self._marked[: len(self)]

    def set_mark(self) -> None:
        """Compare with what was counted until now; with a mark already, since then."""
        before = self._marked if self.is_marked else np.zeros_like(self._totals)
        self._before = self._totals - before
        self._marked = self._totals.copy()
        self.is_marked = True

    def clear_mark(self) -> None:
        """Compare with nothing."""
        self._marked = self._before = np.zeros((0, COUNTS), np.int64)
        self.is_marked = False

    def row_of(self, key: bytes) -> int:
        """The row of a flow by its FLOW_KEY, UNKNOWN for one that is not in here."""
        return int(self._index.find(np.frombuffer(key, np.uint64).reshape(1, -1))[0])

    def begin_window(self) -> None:
        """Count what is recent from here on."""
        self.recent[:] = 0
        self.other_recent[:] = 0

    def add(
        self, keys: NDArray[Any], counts: NDArray[Any], process: NDArray[np.int32], now: float
    ) -> None:
        """Add what distinct flows counted: FLOW_KEY[n], FLOW_COUNTS[n], int32[n]."""
        words = _words(keys, _KEY_WORDS)
        deltas = _counts(counts)
        step = min(_STEP, max(1, self._max_rows // 2))  # so that there is room for each part
        for start in range(0, len(words), step):
            part = slice(start, start + step)
            self._add(words[part], deltas[part], process[part], now)

    def add_other(self, counts: NDArray[Any]) -> None:
        """Add what belongs to no flow of its own: FLOW_COUNTS[1]."""
        delta = _counts(counts)
        self.other_totals = joined(self.other_totals, delta[0])
        self.other_recent = joined(self.other_recent, delta[0])
        self.history.add_other(int(_both_ways(delta)[0]))

    def _add(
        self,
        words: NDArray[np.uint64],
        deltas: NDArray[np.int64],
        process: NDArray[np.int32],
        now: float,
    ) -> None:
        rows = self._index.find(words)
        unknown = rows == UNKNOWN
        new = int(np.count_nonzero(unknown))
        self._last_seen[rows[~unknown]] = now
        if len(self) + new > self._max_rows:
            self._evict(len(self) + new - self._max_rows)
            rows = self._index.find(words)
            unknown = rows == UNKNOWN
        if new:
            rows[unknown] = self._insert(words[unknown], process[unknown], now)
        self._totals[rows] = joined(self._totals[rows], deltas)
        self._recent[rows] = joined(self._recent[rows], deltas)
        self.history.add(rows, _both_ways(deltas))

    def _insert(
        self, words: NDArray[np.uint64], process: NDArray[np.int32], now: float
    ) -> NDArray[np.int32]:
        rows = self._index.add(words)
        if len(self._totals) < self._index.capacity:
            self._grow(self._index.capacity)
        for counts in self._counts():
            counts[rows] = 0
        self._process[rows] = process
        self._first_seen[rows] = now
        self._last_seen[rows] = now
        self.history.clear(rows)
        return rows

    def _counts(self) -> tuple[NDArray[np.int64], ...]:
        marked = (self._marked, self._before) if self.is_marked else ()
        return self._totals, self._recent, *marked

    def _grow(self, capacity: int) -> None:
        self._totals = grown(self._totals, capacity)
        if self.is_marked:
            self._marked, self._before = (
                grown(self._marked, capacity),
                grown(self._before, capacity),
            )
        self._recent = grown(self._recent, capacity)
        self._process = grown(self._process, capacity)
        self._first_seen = grown(self._first_seen, capacity)
        self._last_seen = grown(self._last_seen, capacity)
        self.history.grow(capacity)

    def _evict(self, at_least: int) -> None:
        """Move the flows that were idle for longest to `~other`."""
        count = max(at_least, len(self) // _EVICTED_SHARE)
        order = np.argsort(self._last_seen[: len(self)], kind="stable")
        evicted, kept = order[:count], np.sort(order[count:])
        self.other_totals = joined(self.other_totals, joined_rows(self._totals[evicted]))
        self.other_recent = joined(self.other_recent, joined_rows(self._recent[evicted]))
        self.history.evict(evicted, kept)
        self.evicted += len(evicted)
        for counts in self._counts():
            counts[: len(kept)] = counts[kept]
        for column in (self._process, self._first_seen, self._last_seen):
            column[: len(kept)] = column[kept]
        self._index.keep(kept)


def _words(records: NDArray[Any], words: int) -> NDArray[np.uint64]:
    return np.ascontiguousarray(records).view(np.uint64).reshape(-1, words)


def _counts(records: NDArray[Any]) -> NDArray[np.int64]:
    return _words(records, COUNTS).view(np.int64)


def _both_ways(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    both: NDArray[np.int64] = counts[:, _TX_BYTES] + counts[:, _RX_BYTES]
    return both
