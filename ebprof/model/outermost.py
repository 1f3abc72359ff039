"""Samples with one more frame at the outer end of their stacks, whatever it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ebprof.model.builder import Builder
from ebprof.model.columns import NONE, Groups, Lists, Numbers, Samples, grouped
from ebprof.model.values import Location


def with_outermost(
    samples: Samples, groups: Groups, locations: Sequence[Location | None], comms: Sequence[str]
) -> Samples:
    """The samples with another location at the end of their stacks, and other comms.

    locations, comms: of each group; None leaves the stacks of a group as they are.
    """
    builder, tables = Builder(), samples.tables
    known = _array(map(builder.location, tables.location_values))
    outer = _array(NONE if one is None else builder.location(one) for one in locations)
    stacks = Lists(tables.stacks.starts, known[tables.stacks.items])
    stacks, of_row = _longer(stacks, samples.rows["stack"], outer[groups.of_row])
    rows = samples.rows.copy()
    rows["stack"] = of_row
    rows["comm"] = _array(map(builder.string, comms))[groups.of_row]
    stops = _array(map(builder.string, tables.strings))
    labels = _array(map(builder.labels, tables.label_values))
    rows["stop"] = stops[rows["stop"]]
    rows["labels"] = labels[rows["labels"]]
    made = replace(builder.take().tables, stacks=stacks)
    return Samples(made, rows, samples.counts, samples.values)


def _longer(
    stacks: Lists, of_row: Numbers, outer: NDArray[np.int64]
) -> tuple[Lists, NDArray[np.int64]]:
    """Stacks with the location that is added to each, or NONE, and the stack of each row."""
    pairs = grouped(of_row, outer)
    taken, added = stacks.take(of_row[pairs.first]), outer[pairs.first]
    has_more = added != NONE
    starts = np.append(0, np.cumsum(taken.lengths + has_more))
    items = np.empty(int(starts[-1]), np.uint32)
    moved = np.repeat(starts[:-1] - taken.starts[:-1], taken.lengths)
    items[moved + np.arange(len(taken.items))] = taken.items
    items[starts[1:][has_more] - 1] = added[has_more]
    return Lists(starts, items), pairs.of_row


def _array(numbers: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(numbers, np.int64)
