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
    columns: Sequence[Column], wanted: Mapping[str, int], width: int, gap: int = GAP
) -> list[tuple[Column, int]]:
    """The columns that fit, in their order, with their widths.

    wanted: cells that a column's content takes, by name; 0 leaves the column out. What remains is
    shared by those that want more than their least: each gets as much as the others, unless it
    wants less. gap: cells between two columns.
    """
    chosen = [column for column in columns if wanted.get(column.name, 1)]
    while len(chosen) > 1 and _least(chosen, gap) > width:
        worst = max(chosen, key=lambda column: column.rank)
        if worst.rank == 0:
            break
        chosen.remove(worst)
    return _widths(chosen, wanted, width - _least(chosen, gap))


def _least(columns: Sequence[Column], gap: int) -> int:
    return sum(column.narrow for column in columns) + gap * (len(columns) - 1)


def _widths(
    columns: Sequence[Column], wanted: Mapping[str, int], spare: int
) -> list[tuple[Column, int]]:
    more = [
        max(0, min(column.wide, wanted.get(column.name, 0)) - column.narrow) for column in columns
    ]
    spare = max(0, spare)
    given = [0] * len(columns)
    hungry = sorted(range(len(columns)), key=more.__getitem__)
    for place, number in enumerate(hungry):
        given[number] = min(more[number], spare // (len(hungry) - place))
        spare -= given[number]
    return [(column, column.narrow + extra) for column, extra in zip(columns, given, strict=True)]
