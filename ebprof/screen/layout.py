"""Which columns of a table fit into a width, and how wide each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ebprof.screen.text import Align

GAP = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    narrow, wide: cells it needs at least, and has a use for at most.
    rank: the highest is left out first where not all fit; 0 is never left out.
    """

    name: str
    heading: str
    narrow: int
    wide: int
    rank: int
    align: Align = "left"


def fit_columns(
    columns: Sequence[Column], wanted: Mapping[str, int], width: int
) -> list[tuple[Column, int]]:
    """The columns that fit, in their order, with their widths.

    wanted: cells that a column's content takes, by name; 0 leaves the column out. What remains is
    given to those that want more than their least, in their order.
    """
    chosen = [column for column in columns if wanted.get(column.name, 1)]
    while len(chosen) > 1 and _least(chosen) > width:
        worst = max(chosen, key=lambda column: column.rank)
        if worst.rank == 0:
            break
        chosen.remove(worst)
    return _widths(chosen, wanted, width)


def _least(columns: Sequence[Column]) -> int:
    return sum(column.narrow for column in columns) + GAP * (len(columns) - 1)


def _widths(
    columns: Sequence[Column], wanted: Mapping[str, int], width: int
) -> list[tuple[Column, int]]:
    spare = max(0, width - _least(columns))
    widths = []
    for column in columns:
        more = min(column.wide, wanted.get(column.name, 0)) - column.narrow
        more = max(0, min(more, spare))
        spare -= more
        widths.append((column, column.narrow + more))
    return widths
