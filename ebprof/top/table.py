"""Samples put together by function, module, process or what else rows are, and put in order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebprof.errors import UsageError
from ebprof.model import Samples
from ebprof.model.arrays import wider
from ebprof.top.rows import CHANGE, PIVOTS, SORTS, Butterfly, HotReport, HotRow, Neighbour
from ebprof.top.stacks import TEXTS, Rows, Stacks
from ebprof.top.window import POINTS, RecentRows, merged

WINDOW_S = 10
"""Shares are of so many seconds, unless those of the whole run are asked for."""
OUTERMOST, ITSELF = "[outermost]", "[self]"
_OF_THREADS = ("process", "thread", *TEXTS)
_NO_PROCESS = np.iinfo(np.int32).max
_LEAST_ROOM = 256


@dataclass(frozen=True, slots=True)
class Within:
    """Only the samples of one module, process, thread, container, ..., by its number.

    pivot: which of these it is.
    """

    pivot: str
    number: int


class _Increment(NamedTuple):
    """What came in at once. apart: samples of ebprof itself, in no rows."""

    rows: Rows
    seconds: float
    apart: int

    def and_then(self, other: _Increment) -> _Increment:
        rows = merged([self.rows, other.rows])
        return _Increment(rows, self.seconds + other.seconds, self.apart + other.apart)


class _Tally:
    """Counts by group for one pivot: in each of the last seconds, and since the start.

    first, last: the least and greatest number of a process that a group was sampled in.
    """

    def __init__(self) -> None:
        self.own = np.zeros((POINTS, _LEAST_ROOM), np.int32)
        self.total = np.zeros((POINTS, _LEAST_ROOM), np.int32)
        self.all_own = np.zeros(_LEAST_ROOM, np.int64)
        self.all_total = np.zeros(_LEAST_ROOM, np.int64)
        self.first = np.full(_LEAST_ROOM, _NO_PROCESS, np.int32)
        self.last = np.full(_LEAST_ROOM, -1, np.int32)
        self._next = 0
        self._known = 0

    def begin_second(self) -> None:
        self._next = (self._next + 1) % POINTS
        self._known = min(POINTS, self._known + 1)
        self.own[self._next] = self.total[self._next] = 0

    def add(self, own: NDArray[np.int64], total: NDArray[np.int64], *, recent: bool) -> None:
        """Counts by group, to the second that has begun (recent), or to the whole run."""
        self._grow(len(total))
        if recent:
            self.own[self._next, : len(own)] += own.astype(np.int32)
            self.total[self._next, : len(total)] += total.astype(np.int32)
        else:
            self.all_own[: len(own)] += own
            self.all_total[: len(total)] += total

    def add_processes(self, groups: NDArray[Any], processes: NDArray[Any]) -> None:
        np.minimum.at(self.first, groups, processes)
        np.maximum.at(self.last, groups, processes)

    def window(self, whole: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Own and total counts by group, in the window or in the whole run."""
        if whole:
            return self.all_own, self.all_total
        places = self._places(WINDOW_S)
        return self.own[places].sum(axis=0), self.total[places].sum(axis=0)

    def history(self, groups: NDArray[np.int64]) -> NDArray[np.int32]:
        """int32[groups, points]: totals by second, oldest first."""
        return self.total[self._places(POINTS)[:, None], groups].T

    def _places(self, seconds: int) -> NDArray[np.int64]:
        known = min(seconds, self._known)
        return (self._next - known + 1 + np.arange(known)) % POINTS

    def _grow(self, groups: int) -> None:
        room = len(self.last)
        if groups <= room:
            return
        size = max(groups, 2 * room)
        self.own, self.total = wider(self.own, size), wider(self.total, size)
        self.all_own, self.all_total = wider(self.all_own, size), wider(self.all_total, size)
        self.first = wider(self.first, size, _NO_PROCESS)
        self.last = wider(self.last, size, -1)


class HotTable:
    """The samples of a run, as rows of one pivot at a time.

    by: of PIVOTS; within: what samples are narrowed down to.
    """

    def __init__(self, stacks: Stacks | None = None) -> None:
        self._stacks = stacks or Stacks()
        self._samples = RecentRows()
        self._by = "function"
        self._within: tuple[Within, ...] = ()
        self._tally = _Tally()
        self._is_held = False
        self._held: list[_Increment] = []
        self._before: _Increment | None = None
        self._own_before = np.zeros(0, np.int64)

    def add(self, samples: Samples, seconds: float, apart: int = 0) -> None:
        """Take in what was sampled in so many seconds, after all that was added before.

        apart: samples of ebprof itself, which are not among them.
        """
        increment = _Increment(self._stacks.rows(samples), seconds, apart)
        if self._is_held:
            self._hold(increment)
        else:
            self._add(increment)

    def hold(self, hold: bool) -> None:
        """Let the rows stay as they are (True), or go on with all that was added meanwhile."""
        self._is_held = hold
        if not hold:
            held, self._held = self._held, []
            for increment in held:
                self._add(increment)

    def _hold(self, increment: _Increment) -> None:
        """Keep for later: one by one those of the last minute, the others together."""
        self._held.append(increment)
        if len(self._held) > POINTS:
            first, second = self._held[:2]
            self._held[:2] = [first.and_then(second)]

    def _add(self, increment: _Increment) -> None:
        if self._samples.add(*increment):
            self._tally.begin_second()
        self._count(increment.rows, recent=True)
        self._count(increment.rows, recent=False)

    def clear(self) -> None:
        """Forget all samples; numbers of rows stay."""
        self._samples.clear()
        self._tally = _Tally()

    def choose(self, by: str, within: tuple[Within, ...] = ()) -> None:
        """Say what a row is, and of what samples."""
        if (by, within) == (self._by, self._within):
            return
        self._by, self._within, self._tally = by, within, _Tally()
        self._count_before()
        for second in self._samples.recent:
            self._tally.begin_second()
            for part in second.parts:
                self._count(part, recent=True)
        self._count(self._samples.all(), recent=False)

    def mark(self) -> None:
        """From now on rows have what they had in the last WINDOW_S seconds as well."""
        rows, seconds = self._samples.last(WINDOW_S), self._samples.seconds_of_last(WINDOW_S)
        self._before = _Increment(rows, seconds, 0)
        self._count_before()

    def clear_mark(self) -> None:
        """Rows have what they have now alone."""
        self._before = None
        self._count_before()

    def order(
        self, sort: str = "self", text: str = "", *, reverse: bool = False, whole: bool = False
    ) -> NDArray[np.int64]:
        """Numbers of the rows that were sampled and hold a text, in an order (of SORTS)."""
        own, total = self._tally.window(whole)
        found = np.flatnonzero(total)
        if text:
            holds = [self._holds(number, text.lower()) for number in found.tolist()]
            found = found[np.array(holds, np.bool_)]
        if sort == "name":
            names = [self._name(number).lower() for number in found.tolist()]
            ranked = found[sorted(range(len(names)), key=names.__getitem__)]
        else:
            first, second = (total, own) if sort == "total" else (own, total)
            if sort == CHANGE and self._before is not None:
                first, second = self._growth(own, whole), own
            ranked = found[np.lexsort((-second[found], -first[found]))]
        return ranked[::-1] if reverse else ranked

    def report(
        self,
        order: NDArray[np.int64],
        first: int = 0,
        limit: int | None = None,
        *,
        whole: bool = False,
    ) -> HotReport:
        """The rows of these numbers (of `order`) from one on, at most so many."""
        chosen = order[first:] if limit is None else order[first : first + limit]
        samples, seconds = self._extent(whole)
        apart = self._samples.apart if whole else self._samples.apart_of_last(WINDOW_S)
        return HotReport(
            self._rows(chosen, whole),
            len(order) - len(chosen),
            first,
            samples,
            seconds,
            apart,
            self._before.seconds if self._before is not None else 0.0,
        )

    def butterfly(self, function: int, *, whole: bool = False) -> Butterfly:
        """The callers and callees of a function, by its number; the most frequent first.

        A recursive function is called by what called its outermost call, and calls what its
        innermost one does.
        """
        rows = self._narrowed(self._samples.all() if whole else self._samples.last(WINDOW_S))
        callers: Counter[int] = Counter()
        callees: Counter[int] = Counter()
        place, functions = self._stacks.expand(rows["path"])
        for at in place[functions == function].tolist():
            path, count = self._stacks.paths[rows["path"][at]], int(rows["count"][at])
            outer = path.index(function)
            inner = len(path) - 1 - path[::-1].index(function)
            callers[path[outer - 1] if outer else -1] += count
            callees[path[inner + 1] if inner + 1 < len(path) else -1] += count
        samples, seconds = self._extent(whole)
        row = self._function_row(function, callees[-1], callees.total())
        return Butterfly(
            row,
            self._neighbours(callers, OUTERMOST),
            self._neighbours(callees, ITSELF),
            samples,
            seconds,
        )

    def name_of(self, within: Within) -> str:
        """What samples are narrowed down to, for people."""
        stacks, number = self._stacks, within.number
        if within.pivot == "module":
            return stacks.modules[number]
        if within.pivot == "process":
            process = stacks.processes[number]
            return f"{process.comm} ({process.pid})"
        if within.pivot in TEXTS:
            return stacks.texts[within.pivot][number]
        thread = stacks.threads[number]
        return f"{thread.comm} ({thread.tid})"

    def _count(self, rows: Rows, *, recent: bool) -> None:
        rows = self._narrowed(rows)
        counts, processes = rows["count"], self._stacks.process_of[rows["thread"]]
        if self._by in _OF_THREADS:
            groups = self._owners(rows, self._by)
            own = total = _sums(groups, counts)
        else:
            groups, own, place = self._on_stack(rows)
            total = _sums(groups, counts[place])
            processes = processes[place]
        self._tally.add(own, total, recent=recent)
        self._tally.add_processes(groups, processes)

    def _count_before(self) -> None:
        """Own counts before the mark, by group."""
        self._own_before = np.zeros(0, np.int64)
        if self._before is None:
            return
        rows = self._narrowed(self._before.rows)
        if self._by in _OF_THREADS:
            self._own_before = _sums(self._owners(rows, self._by), rows["count"])
        else:
            self._own_before = self._on_stack(rows)[1]

    def _growth(self, own: NDArray[np.int64], whole: bool) -> NDArray[np.float64]:
        """How many samples a second more than before the mark each group has."""
        assert self._before is not None
        before = wider(self._own_before, max(len(own), len(self._own_before)))[: len(own)]
        _, seconds = self._extent(whole)
        return own / max(seconds, 0.1) - before / max(self._before.seconds, 0.1)

    def _owners(self, rows: Rows, pivot: str) -> NDArray[Any]:
        """The process, thread, container, ... of each row."""
        threads: NDArray[Any] = rows["thread"]
        if pivot == "thread":
            return threads
        stacks = self._stacks
        owner_of = stacks.process_of if pivot == "process" else stacks.text_of(pivot)
        owners: NDArray[Any] = owner_of[threads]
        return owners

    def _on_stack(self, rows: Rows) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
        """Groups on each row's stack, once each; own counts by group; the row of each."""
        stacks = self._stacks
        leaves = stacks.leaves[rows["path"]]
        place, groups = stacks.expand(rows["path"])
        if self._by == "module":
            leaves = stacks.module_of[leaves]
            keys = np.unique(place << 32 | stacks.module_of[groups])
            place, groups = keys >> 32, keys & 0xFFFFFFFF
        return groups, _sums(leaves, rows["count"]), place

    def _narrowed(self, rows: Rows) -> Rows:
        for one in self._within:
            rows = rows[self._is_within(rows, one)]
        return rows

    def _is_within(self, rows: Rows, within: Within) -> NDArray[np.bool_]:
        if within.pivot != "module":
            return np.asarray(self._owners(rows, within.pivot) == within.number)
        place, functions = self._stacks.expand(rows["path"])
        found = np.zeros(len(rows), np.bool_)
        found[place[self._stacks.module_of[functions] == within.number]] = True
        return found

    def _extent(self, whole: bool) -> tuple[int, float]:
        """All samples that shares are of, and over how many seconds."""
        if whole:
            return int(self._narrowed(self._samples.all())["count"].sum()), self._samples.seconds
        rows = self._narrowed(self._samples.last(WINDOW_S))
        return int(rows["count"].sum()), self._samples.seconds_of_last(WINDOW_S)

    def _rows(self, chosen: NDArray[np.int64], whole: bool) -> tuple[HotRow, ...]:
        own, total = self._tally.window(whole)
        lengths = np.array([one.seconds for one in self._samples.recent])
        rates = self._tally.history(chosen) / np.maximum(lengths, 0.1)
        columns = (own[chosen].tolist(), total[chosen].tolist(), rates.tolist())
        return tuple(
            self._row(number, own, total, tuple(history))
            for number, own, total, history in zip(chosen.tolist(), *columns, strict=True)
        )

    def _row(self, number: int, own: int, total: int, history: tuple[float, ...]) -> HotRow:
        stacks = self._stacks
        is_one = self._tally.first[number] == self._tally.last[number]
        process = stacks.processes[self._tally.first[number]] if is_one else None
        function = stacks.functions[number] if self._by == "function" else None
        return HotRow(
            number=number,
            name=self._name(number),
            module=function.module if function else "",
            pid=process.pid if process else None,
            comm=process.comm if process else None,
            tid=stacks.threads[number].tid if self._by == "thread" else None,
            own=own,
            total=total,
            history=history,
            before=self._before_of(number),
            command=stacks.commands[int(self._tally.first[number])] if is_one else "",
        )

    def _before_of(self, number: int) -> int | None:
        if self._before is None:
            return None
        return int(self._own_before[number]) if number < len(self._own_before) else 0

    def _function_row(self, number: int, own: int, total: int) -> HotRow:
        function = self._stacks.functions[number]
        return HotRow(number, function.name, function.module, None, None, None, own, total)

    def _neighbours(self, counts: Counter[int], nobody: str) -> tuple[Neighbour, ...]:
        return tuple(self._neighbour(number, n, nobody) for number, n in counts.most_common() if n)

    def _neighbour(self, number: int, count: int, nobody: str) -> Neighbour:
        if number < 0:
            return Neighbour(None, nobody, "", count)
        function = self._stacks.functions[number]
        return Neighbour(number, function.name, function.module, count)

    def _name(self, number: int) -> str:
        stacks = self._stacks
        if self._by == "function":
            return stacks.functions[number].name
        if self._by == "module":
            return stacks.modules[number]
        if self._by in TEXTS:
            return stacks.texts[self._by][number]
        return (
            stacks.processes[number].comm if self._by == "process" else stacks.threads[number].comm
        )

    def _holds(self, number: int, text: str) -> bool:
        """Whether the cells of a row hold a text in lower case."""
        row = self._row(number, 0, 0, ())
        cells = (row.name, row.module, row.comm or "", str(row.pid or ""), str(row.tid or ""))
        return any(text in cell.lower() for cell in cells)


def _sums(groups: NDArray[Any], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts by group; a sum of doubles is exact up to 2 ** 53."""
    return np.bincount(groups, weights=counts).astype(np.int64)


def check_pivot(name: str) -> str:
    """The name, if it is one of PIVOTS; raises UsageError, which lists them."""
    if name not in PIVOTS:
        raise UsageError(f"a row cannot be a {name!r}", f"choose from {', '.join(PIVOTS)}")
    return name


def check_sort(name: str) -> str:
    """The name, if it is one of SORTS; raises UsageError, which lists them."""
    if name not in SORTS:
        raise UsageError(f"cannot sort by {name!r}", f"choose from {', '.join(SORTS)}")
    return name
