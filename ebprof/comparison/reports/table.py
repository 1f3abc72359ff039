"""A table of the functions that changed, for the terminal; plain text, 120 wide, elsewhere.

Self: samples in which the function itself was running; total: in which it was on the stack. A
change with `~` after it is one that chance may make of so few samples.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from ebprof.comparison import text
from ebprof.comparison.join import SIGMAS, Comparison, FunctionChange, Pair
from ebprof.comparison.ranking import DEFAULT_ROWS, View, rank
from ebprof.output._console import console
from ebprof.output._text import amount

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

OPTIONS = ("sort", "rows")

_HEADINGS = ("SELF A", "SELF B", "CHANGE", "TOTAL A", "TOTAL B", "CHANGE")


def write(comparison: Comparison, view: View, file: BinaryIO) -> None:
    """Write the functions that changed most, how many more there are, and what was compared."""
    changes = rank(comparison, view.sort)
    shown = changes[: view.rows or DEFAULT_ROWS]
    written = io.StringIO()
    to = console(file, written)
    if shown:
        to.print(_table(comparison, shown))
    for line in _footer(comparison, changes, len(shown)):
        to.print(line, style="dim", highlight=False, markup=False)
    file.write(written.getvalue().encode("utf-8", "replace"))


def _table(comparison: Comparison, changes: list[FunctionChange]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False, expand=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("FUNCTION", ratio=1, no_wrap=True, overflow="ellipsis", min_width=16)
    table.add_column("MODULE", no_wrap=True, overflow="ellipsis", max_width=18, style="cyan")
    for one in changes:
        table.add_row(
            *_cells(comparison, one.own),
            *_cells(comparison, one.total),
            Text(one.function.name),
            Text(one.function.module),
        )
    return table


def _cells(comparison: Comparison, count: Pair) -> Iterator[Text]:
    """Before, after, and the change; it keeps its column where there is no `~`."""
    from rich.text import Text

    for side in text.sides(comparison, count):
        yield Text(side)
    is_chance = comparison.is_chance(count)
    mark = "~" if is_chance and comparison.points(count) else " "
    yield Text(text.change(comparison, count) + mark, _style(comparison, count, is_chance))


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
