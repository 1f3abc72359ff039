"""A table of the hottest functions, for the terminal; plain text, 120 wide, elsewhere.

Self: samples in which the function itself was running; total: in which it was on the stack,
recursion counted once. Calls that were inlined count for the inlined function. The line is the
hottest: that of most self samples or, in a function that has none, of most samples.
"""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from ebprof.model import Location, Profile, Sample
from ebprof.output._console import console
from ebprof.output._functions import (
    FunctionIndex,
    distinct_locations,
    functions_of,
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
    stackless: dict[str, Row] = {}
    for sample in profile.samples:
        path = [row_of[number] for number in index.path(sample)]
        for number in set(path):
            rows[number].total += sample.count
        if path:
            rows[path[-1]].own += sample.count
        else:
            _count_stackless(stackless, sample)
    rows += stackless.values()
    _count_lines(profile, rows, index, row_of)
    return sorted(rows, key=lambda row: (-row.own, -row.total, row.name, row.module))


def _count_stackless(rows: dict[str, Row], sample: Sample) -> None:
    """Samples without a stack have a row too, with the process's name: all add up to 100 %."""
    name = process(sample).name
    row = rows.setdefault(name, Row(name, ""))
    row.own += sample.count
    row.total += sample.count


def _group(index: FunctionIndex) -> tuple[list[Row], list[int]]:
    """Rows, and the row of each function in the index: inlined or not, it is one row."""
    rows: dict[tuple[str, str, str], Row] = {}
    for function in index.functions:
        key = (function.name, function.module, function.file)
        rows.setdefault(key, Row(function.name, function.module))
    numbers = {key: number for number, key in enumerate(rows)}
    row_of = [numbers[one.name, one.module, one.file] for one in index.functions]
    return list(rows.values()), row_of


def _count_lines(
    profile: Profile, rows: list[Row], index: FunctionIndex, row_of: list[int]
) -> None:
    own, total = _count_locations(profile)
    for location in distinct_locations(profile):
        key = id(location)
        places = zip(index.of_location[key], _places(location), strict=True)
        for number, place in places:
            rows[row_of[number]].total_lines[place] += total[key]
        rows[row_of[index.of_location[key][-1]]].own_lines[_places(location)[-1]] += own[key]


def _count_locations(profile: Profile) -> tuple[Counter[int], Counter[int]]:
    """Samples at, and through, each location, by `id()`."""
    own: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for sample in profile.samples:
        count = sample.count
        for key in map(id, sample.locations):
            total[key] += count
        if sample.locations:
            own[id(sample.locations[0])] += count
    return own, total


def _places(location: Location) -> list[tuple[str, int]]:
    """(file, line) of each frame, outermost first."""
    lines = [frame.line for frame in reversed(location.frames)]
    return [(one.file, line) for one, line in zip(functions_of(location), lines, strict=True)]


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
