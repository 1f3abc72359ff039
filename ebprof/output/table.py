"""A table of the hottest functions, for the terminal; plain text, 120 wide, elsewhere.

Self: samples in which the function itself was running; total: in which it was on the stack,
recursion counted once. Calls that were inlined count for the inlined function. The line is the
hottest: that of most self samples or, in a function that has none, of most samples.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ebprof.model import Lists, Profile, Samples, grouped, sums
from ebprof.output._console import console
from ebprof.output._functions import (
    FunctionIndex,
    LocationFunctions,
    index_functions,
    process,
)
from ebprof.output._measure import measure, quantity
from ebprof.output._text import amount, percent, printable
from ebprof.output._types import is_bare

if TYPE_CHECKING:
    from rich.table import Table

SUFFIXES = (".txt",)

ROWS = 30


@dataclass(slots=True)
class Row:
    """A function, its samples, and how many of them each (file, line) has."""

    name: str
    module: str
    own: int = 0
    total: int = 0
    own_lines: Counter[tuple[str, int]] = field(default_factory=Counter)
    total_lines: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def place(self) -> str:
        """`file:line` of the hottest line, empty when lines are not known."""
        lines = +self.own_lines or +self.total_lines
        file, line = max(lines, key=lambda place: (lines[place], place), default=("", 0))
        name = file.rsplit("/", 1)[-1]
        return f"{name}:{line}" if name and line else name


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the ROWS hottest functions and how many more there are."""
    rows = rank(profile)
    text = io.StringIO()
    to = console(file, text)
    to.print(_table(rows[:ROWS], profile))
    to.print(_footer(profile, len(rows)), style="dim", highlight=False, markup=False)
    file.write(text.getvalue().encode("utf-8", "replace"))


def rank(profile: Profile) -> list[Row]:
    """The functions of a profile, hottest first."""
    index = index_functions(profile)
    rows, row_of = _group(index)
    samples = profile.samples
    groups = samples.by("stack")
    counts = groups.sums(samples.counts)
    stacks = samples.tables.stacks.take(samples.rows["stack"][groups.first])
    paths = index.paths(stacks)
    on_path = Lists(paths.starts, row_of[paths.items])
    has_path = paths.lengths > 0
    leaves = on_path.items[paths.starts[1:][has_path] - 1]
    own = sums(leaves, counts[has_path], len(rows))
    for row, *found in zip(rows, own.tolist(), _totals(on_path, counts, len(rows)), strict=True):
        row.own, row.total = found
    rows += _stackless(samples)
    _count_lines(rows, row_of, index, _Locations(samples, stacks, counts))
    return sorted(rows, key=lambda row: (-row.own, -row.total, row.name, row.module))


def _totals(on_path: Lists, counts: NDArray[np.int64], size: int) -> list[int]:
    """The counts of the paths that each row is on, each path once."""
    path = np.repeat(np.arange(len(on_path)), on_path.lengths)
    once = grouped(path, on_path.items).first
    found: list[int] = sums(on_path.items[once], counts[path[once]], size).tolist()
    return found


def _stackless(samples: Samples) -> Iterable[Row]:
    """Samples without a stack have a row too, with the process's name: all add up to 100 %."""
    left = samples.take(samples.tables.stacks.lengths[samples.rows["stack"]] == 0)
    groups = left.by("comm")
    rows: dict[str, Row] = {}
    comms = left.rows["comm"][groups.first].tolist()
    for comm, count in zip(comms, groups.sums(left.counts).tolist(), strict=True):
        name = process(samples.tables.strings[comm]).name
        row = rows.setdefault(name, Row(name, ""))
        row.own += count
        row.total += count
    return rows.values()


def _group(index: FunctionIndex) -> tuple[list[Row], NDArray[np.int64]]:
    """Rows, and the row of each function in the index: inlined or not, it is one row."""
    rows: dict[tuple[str, str, str], Row] = {}
    for function in index.functions:
        key = (function.name, function.module, function.file)
        rows.setdefault(key, Row(function.name, function.module))
    numbers = {key: number for number, key in enumerate(rows)}
    row_of = [numbers[one.name, one.module, one.file] for one in index.functions]
    return list(rows.values()), np.array(row_of, np.int64)


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


def _table(rows: list[Row], profile: Profile) -> Table:
    from rich.table import Table
    from rich.text import Text

    total = profile.total
    number = measure(profile.subject).number if not profile.is_sampled else "{:,}".format
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False, expand=True)
    for heading in ("SELF", "TOTAL", _heading(profile)):
        table.add_column(heading, justify="right", no_wrap=True, min_width=len("100.00%"))
    table.add_column("FUNCTION", ratio=1, no_wrap=True, overflow="ellipsis", min_width=16)
    table.add_column("MODULE", no_wrap=True, overflow="ellipsis", max_width=22, style="cyan")
    table.add_column("LINE", no_wrap=True, overflow="ellipsis", max_width=26, style="dim")
    for row in rows:
        table.add_row(
            Text(percent(row.own, total), style=_heat(row.own, total)),
            percent(row.total, total),
            number(row.own),
            *map(Text, (row.name, row.module, row.place)),
        )
    return table


def _heading(profile: Profile) -> str:
    return "SAMPLES" if profile.is_sampled else printable(profile.subject.name).upper()


def _heat(part: int, whole: int) -> str:
    if part * 10 >= whole:
        return "bold red"
    return "yellow" if part * 50 >= whole else ""


def _footer(profile: Profile, rows: int) -> str:
    parts = [_taken(profile)]
    others = [one.name for one in profile.sample_types if one != profile.subject]
    if others:
        parts.append(printable(f"--sample-type shows {', '.join(others)}"))
    if rows > ROWS:
        parts.append(f"{amount(rows - ROWS, 'more function')} not shown")
    return "; ".join(parts)


def _taken(profile: Profile) -> str:
    if is_bare(profile):
        return quantity(profile, profile.total)
    if not profile.is_sampled:
        number = measure(profile.subject).number(profile.total)
        return f"{number} of {printable(profile.subject.name)}"
    taken = f"{amount(profile.total, 'sample')} of {printable(profile.event)}"
    if profile.unit == "count" and profile.period > 1:
        taken += f", one each {profile.period:,}"
    return taken
