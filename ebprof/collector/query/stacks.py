"""The largest stacks of a selection, and the sum of what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ebprof.collector.query import sql
from ebprof.collector.query import tree as trees
from ebprof.collector.query.columns import column_of
from ebprof.collector.query.plan import Plan
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.tree import Numbers, Stacks
from ebprof.collector.store.question import Session
from ebprof.model import Lists

SHOWN = "shown"
"""The temporary table of frames of the stacks that were found."""
WHOLE_STOPS = frozenset(("", "complete", "no_user_stack", "not_asked"))


@dataclass(frozen=True, slots=True)
class FoundStacks:
    """Stacks, the largest first. values: int64[n]; frame_ids: lists of uint64, leaf first; stops:
    int64[n], indices of reasons; rest: value and number of the stacks that are left out.
    """

    values: Numbers
    frame_ids: Lists
    stops: Numbers
    reasons: tuple[str, ...]
    rest: tuple[int, int]

    @property
    def incomplete(self) -> int:
        """Value of stacks that end before their outermost frame."""
        return int(self.values[self._has_stop()].sum())

    @property
    def unknown(self) -> int:
        """Value of stacks that the database has lost, or not got yet."""
        return int(self.values[self.frame_ids.lengths == 0].sum())

    def of_items(self, stacks: Lists, stops: Numbers) -> Stacks:
        """The stacks by other items, root first; incomplete ones begin with one for the reason.

        stacks: of items in place of frames, root first; stops: int64[reasons], their items.
        """
        has_stop = self._has_stop()
        shift = np.concatenate([[0], np.cumsum(has_stop)])
        moved = np.empty(len(stacks.items) + int(shift[-1]), np.int64)
        moved[np.arange(len(stacks.items)) + np.repeat(shift[1:], stacks.lengths)] = stacks.items
        starts = stacks.starts + shift
        moved[starts[:-1][has_stop]] = stops[self.stops[has_stop]]
        return Stacks(moved, starts, self.values)

    def _has_stop(self) -> Any:
        is_whole = np.array([reason in WHOLE_STOPS for reason in self.reasons], bool)
        return ~is_whole[self.stops]


def look_up(session: Session, selection: Selection, plan: Plan, most: int) -> FoundStacks:
    """The largest stacks of a selection in the ranges of a plan."""
    bound = selection.parameters(plan)
    session.keep("chosen", sql.load("stacks", selection.selector, plan), bound)
    values = np.asarray(session.ask("SELECT value FROM chosen")["value"], np.int64)
    limits = {"most": most, "least": trees.least_of(values, most)}
    session.keep("largest", sql.load("largest_stacks"), limits)
    largest = session.ask("SELECT stack_id, value FROM largest")
    session.keep(SHOWN, sql.load("frames_of_stacks", selection.selector), bound)
    stacks = session.ask(f"SELECT stack_id, stop, frame_ids FROM {SHOWN}")
    shown = np.asarray(largest["value"], np.int64)
    rest = int(values.sum()) - int(shown.sum()), len(values) - len(shown)
    return FoundStacks(shown, *_frames(largest, stacks), rest)


def _frames(largest: pa.Table, stacks: pa.Table) -> tuple[Lists, Numbers, tuple[str, ...]]:
    """Frame IDs and stop reason of each of the largest stacks; what is not known has no frames.

    stacks: in any order, and some twice.
    """
    ids = column_of(largest, "stack_id")
    places = np.asarray(pc.index_in(column_of(stacks, "stack_id"), value_set=ids), np.int64)
    row = np.full(len(ids), len(places))
    row[places] = np.arange(len(places))
    stops = column_of(stacks, "stop").cast(pa.string()).dictionary_encode()
    reasons = (*map(str, stops.dictionary.to_pylist()), "")
    stop = np.append(np.asarray(stops.indices, np.int64), len(reasons) - 1)
    frame_ids = column_of(stacks, "frame_ids")
    starts = np.asarray(frame_ids.offsets, np.int64)
    lists = Lists(np.append(starts, starts[-1]), np.asarray(frame_ids.values, np.uint64))
    return lists.take(row), stop[row], reasons
