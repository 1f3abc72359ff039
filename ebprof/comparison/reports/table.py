"""A table of the functions that changed, for people: as wide as the terminal, elsewhere plain text.

Self: samples in which the function itself was running; total: in which it was on the stack. A
change with `~` after it is one that chance may make of so few samples. Where there is no room,
modules are left out first, then the shares that rows are not ranked by; a file has all.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ebprof.comparison import text
from ebprof.comparison.join import SELF, SIGMAS, TOTAL, Comparison, FunctionChange, Pair
from ebprof.comparison.ranking import DEFAULT_ROWS, View, rank
from ebprof.output._console import (
    ANY_WIDTH,
    GAP,
    TableColumn,
    console,
    encoded,
    table_of,
    width_of_terminal,
)
from ebprof.output._text import amount

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

OPTIONS = ("sort", "rows")
IS_FOR_PEOPLE = True

_ROOM_FOR_NAMES = 30


@dataclass(frozen=True, slots=True)
class _Column:
    """A column with its cells, one a row. of: the share that it tells, or the heading."""

    heading: str
    of: str
    cells: Sequence[Text]

    @property
    def width(self) -> int:
        """Cells of the terminal that it takes."""
        return max(len(self.heading), *(one.cell_len for one in self.cells))


def write(comparison: Comparison, view: View, file: BinaryIO) -> None:
    """Write the functions that changed most, how many more there are, and what was compared."""
    changes = rank(comparison, view.sort)
    shown = changes[: view.rows or DEFAULT_ROWS]
    written = io.StringIO()
    width = width_of_terminal(file) or ANY_WIDTH
    to = console(file, written, width)
    if shown:
        to.print(_table(_fit(_columns(comparison, shown), view.sort, width), width))
    for line in _footer(comparison, changes, len(shown)):
        to.print(line, style="dim", highlight=False, markup=False)
    file.write(encoded(written))


def _columns(comparison: Comparison, changes: list[FunctionChange]) -> list[_Column]:
    from rich.text import Text

    columns = []
    for share in (SELF, TOTAL):
        cells = [_cells(comparison, one.count(share)) for one in changes]
        headings = (f"{share.upper()} A", f"{share.upper()} B", "CHANGE")
        pairs = zip(headings, zip(*cells, strict=True), strict=True)
        columns += [_Column(heading, share, column) for heading, column in pairs]
    names: dict[str, Callable[[FunctionChange], str]] = {
        "FUNCTION": lambda one: one.function.name,
        "MODULE": lambda one: one.function.module,
    }
    columns += [
        _Column(heading, heading, [Text(told(one)) for one in changes])
        for heading, told in names.items()
    ]
    return columns


def _fit(columns: list[_Column], sort: str, width: int) -> list[_Column]:
    """Those columns that leave names of functions enough room."""
    for last in ("MODULE", TOTAL if sort == SELF else SELF):
        wanted = (
            min(one.width, _ROOM_FOR_NAMES) if one.of == "FUNCTION" else one.width
            for one in columns
        )
        if sum(wanted) + GAP * (len(columns) - 1) <= width:
            break
        columns = [one for one in columns if one.of != last]
    return columns


def _table(columns: list[_Column], width: int) -> Table:
    others = sum(one.width + GAP for one in columns if one.of != "FUNCTION")
    return table_of(
        [
            TableColumn(
                one.heading,
                max(1, min(one.width, width - others)) if one.of == "FUNCTION" else one.width,
                one.cells,
                "right" if one.of in (SELF, TOTAL) else "left",
                "cyan" if one.of == "MODULE" else "",
            )
            for one in columns
        ]
    )


def _cells(comparison: Comparison, count: Pair) -> tuple[Text, Text, Text]:
    """Before, after, and the change; it keeps its column where there is no `~`."""
    from rich.text import Text

    before, after = text.sides(comparison, count)
    is_chance = comparison.is_chance(count)
    mark = "~" if is_chance and comparison.points(count) else " "
    change = Text(text.change(comparison, count) + mark, _style(comparison, count, is_chance))
    return Text(before), Text(after), change


def _style(comparison: Comparison, count: Pair, is_chance: bool) -> str:
    points = comparison.points(count)
    if is_chance or not points:
        return "dim"
    return "bold red" if points > 0 else "bold bright_blue"


def _footer(comparison: Comparison, changes: list[FunctionChange], shown: int) -> Iterator[str]:
    if not changes:
        yield "no function changed"
    elif len(changes) > shown:
        yield f"{amount(len(changes) - shown, 'more function')} changed"
    yield from text.runs(comparison)
    yield from text.notes(comparison)
    if changes:
        chance = f"; ~: chance may make as much of so few samples ({SIGMAS} sigma)"
        yield f"changes are in {text.measure(comparison)}{'' if comparison.measure else chance}"
