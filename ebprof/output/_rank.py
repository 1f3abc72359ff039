"""The rows of a table: functions, or what else samples are put together by, hottest first.

Self: samples in which the function itself was running; total: in which it was on the stack,
recursion counted once. Calls that were inlined count for the inlined function. The line is the
hottest: that of most self samples or, in a function that has none, of most samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ebprof.model import Lists, Profile, Samples, grouped, sums
from ebprof.output._functions import (
    Function,
    FunctionIndex,
    LocationFunctions,
    index_functions,
    process,
)
from ebprof.output._owners import OWNERS, Owned, owned

FUNCTION, MODULE = "function", "module"
NO_MODULE = "[no module]"


@dataclass(slots=True)
class Row:
    """A function, or what else a row is, its samples, and how many of them each (file, line) has.

    module: of a function. pid, tid: of a process or thread, None for others. processes: samples by
    name of the process.
    """

    name: str
    module: str = ""
    own: int = 0
    total: int = 0
    pid: int | None = None
    tid: int | None = None
    processes: Counter[str] = field(default_factory=Counter)
    own_lines: Counter[tuple[str, int]] = field(default_factory=Counter)
    total_lines: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def place(self) -> str:
        """`file:line` of the hottest line, empty when lines are not known."""
        lines = +self.own_lines or +self.total_lines
        file, line = max(lines, key=lambda place: (lines[place], place), default=("", 0))
        name = file.rsplit("/", 1)[-1]
        return f"{name}:{line}" if name and line else name

    @property
    def process(self) -> str:
        """The name of its process; of several that of most samples, and how many others."""
        if not self.processes:
            return ""
        name = max(self.processes, key=lambda one: (self.processes[one], one))
        others = len(self.processes) - 1
        return f"{name} +{others}" if others else name


def rank(profile: Profile, by: str = FUNCTION) -> list[Row]:
    """The rows of a profile, hottest first; by: FUNCTION, MODULE or of OWNERS."""
    rows = _owner_rows(profile.samples, by) if by in OWNERS else _stack_rows(profile, by)
    return sorted(rows, key=lambda row: (-row.own, -row.total, row.name, row.module, row.pid or 0))


def _owner_rows(samples: Samples, by: str) -> list[Row]:
    found = owned(samples, by)
    counts = sums(found.of_sample, samples.counts, len(found.owners)).tolist()
    rows = [
        Row(one.name, own=count, total=count, pid=one.pid, tid=one.tid)
        for one, count in zip(found.owners, counts, strict=True)
    ]
    _count_processes(rows, found.of_sample, owned(samples, "process"), samples.counts)
    return rows


def _count_processes(
    rows: list[Row], row_of: NDArray[np.int64], processes: Owned, counts: NDArray[np.int64]
) -> None:
    """Samples by row and name of their process; row_of: of each sample, as processes has them."""
    groups = grouped(row_of, processes.of_sample)
    columns = row_of[groups.first], processes.of_sample[groups.first], groups.sums(counts)
    for row, owner, count in zip(*(one.tolist() for one in columns), strict=True):
        rows[row].processes[processes.owners[owner].name] += count


def _stack_rows(profile: Profile, by: str) -> list[Row]:
    index = index_functions(profile)
    rows, row_of = _group(index, _function_row if by == FUNCTION else _module_row)
    samples = profile.samples
    groups = samples.by("stack", "pid", "comm", "labels")
    counts = groups.sums(samples.counts)
    stacks = samples.tables.stacks.take(samples.rows["stack"][groups.first])
    paths = index.paths(stacks)
    on_path = Lists(paths.starts, row_of[paths.items])
    has_path = paths.lengths > 0
    leaves = on_path.items[paths.starts[1:][has_path] - 1]
    own = sums(leaves, counts[has_path], len(rows))
    path, on_row = _once(on_path)
    total = sums(on_row, counts[path], len(rows))
    for row, *figures in zip(rows, own.tolist(), total.tolist(), strict=True):
        row.own, row.total = figures
    found = owned(samples.take(groups.first), "process")
    _count_processes(rows, on_row, Owned(found.of_sample[path], found.owners), counts[path])
    rows += _stackless(samples, by)
    if by == FUNCTION:
        _count_lines(rows, row_of, index, _Locations(samples, stacks, counts))
    return rows


def _once(on_path: Lists) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Paths, and the rows that they are on, each pair once."""
    path = np.repeat(np.arange(len(on_path)), on_path.lengths)
    once = grouped(path, on_path.items).first
    return path[once], on_path.items[once]


def _stackless(samples: Samples, by: str) -> Iterable[Row]:
    """Samples without a stack have a row too, with the process's name: all add up to 100 %."""
    left = samples.take(samples.tables.stacks.lengths[samples.rows["stack"]] == 0)
    groups = left.by("comm")
    rows: dict[str, Row] = {}
    comms = left.rows["comm"][groups.first].tolist()
    for comm, count in zip(comms, groups.sums(left.counts).tolist(), strict=True):
        name = process(samples.tables.strings[comm]).name
        row = rows.setdefault(name, Row(name if by == FUNCTION else NO_MODULE))
        row.own += count
        row.total += count
        row.processes[name] += count
    return rows.values()


_Make = Callable[[Function], tuple[tuple[str, ...], Row]]


def _function_row(function: Function) -> tuple[tuple[str, ...], Row]:
    """A function is one row, inlined or not."""
    key = function.name, function.module, function.file
    return key, Row(function.name, function.module)


def _module_row(function: Function) -> tuple[tuple[str, ...], Row]:
    name = function.module or NO_MODULE
    return (name,), Row(name)


def _group(index: FunctionIndex, make: _Make) -> tuple[list[Row], NDArray[np.int64]]:
    """Rows, and the row of each function in the index."""
    rows: dict[tuple[str, ...], Row] = {}
    keys = []
    for function in index.functions:
        key, row = make(function)
        rows.setdefault(key, row)
        keys.append(key)
    numbers = {key: number for number, key in enumerate(rows)}
    return list(rows.values()), np.array([numbers[key] for key in keys], np.int64)


class _Locations:
    """The locations of samples, and how many samples are at, and go through, each."""

    def __init__(self, samples: Samples, stacks: Lists, counts: NDArray[np.int64]) -> None:
        size = len(samples.tables.locations)
        is_some = stacks.lengths > 0
        leaves = stacks.items[stacks.starts[:-1][is_some]]
        through = np.repeat(counts, stacks.lengths)
        self.numbers: list[int] = samples.locations.tolist()
        self.functions = LocationFunctions(samples.tables)
        self.own: list[int] = sums(leaves, counts[is_some], size).tolist()
        self.total: list[int] = sums(stacks.items, through, size).tolist()


def _count_lines(
    rows: list[Row], row_of: NDArray[np.int64], index: FunctionIndex, locations: _Locations
) -> None:
    for location in locations.numbers:
        files = [one.file for one in locations.functions.of(location)]
        places = list(zip(files, locations.functions.lines(location), strict=True))
        numbers = row_of[index.of_location[location]].tolist()
        for number, place in zip(numbers, places, strict=True):
            rows[number].total_lines[place] += locations.total[location]
        rows[numbers[-1]].own_lines[places[-1]] += locations.own[location]
