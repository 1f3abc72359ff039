"""Call trees as the store keeps them: of an hour or a day, by the IDs of frames.

Names are no part of them, so that those which come late are those of older trees too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ebprof.collector.query import sql
from ebprof.collector.query import tree as trees
from ebprof.collector.query.columns import column_of
from ebprof.collector.query.plan import Plan
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.selector import Selector
from ebprof.collector.query.stacks import FoundStacks
from ebprof.collector.query.tree import Numbers, Tree
from ebprof.collector.query.units import UNITS
from ebprof.collector.store.question import Session
from ebprof.collector.store.rows import SERVICE
from ebprof.model import Lists, sums

TREE_NODES = 16_384
"""Nodes of a tree of one service; a question that wants no more of them is answered by trees."""
ALL_NODES = 32_768
"""Of a tree of all services together."""
EVERYTHING = ""
"""The name that such a tree has in the place of a service's."""
GROWN = "grown"
"""The temporary table of trees that were found, with their frames."""
_LISTS = {
    "parents": pa.uint32(),
    "frame_ids": pa.uint64(),
    "totals": pa.int64(),
    "pruned": pa.int64(),
    "pruned_nodes": pa.int64(),
}


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """A tree whose items are indices of frame IDs (uint64[n]) and, above these, of reasons.

    incomplete, unknown: values of such stacks, see `FoundStacks`.
    """

    tree: Tree
    frame_ids: npt.NDArray[np.uint64]
    reasons: tuple[str, ...]
    incomplete: int
    unknown: int

    def pruned(self, most: int) -> Grown:
        """With its largest nodes."""
        return replace(self, tree=trees.prune(self.tree, most))

    def through(self, of_frame: Lists, stops: npt.NDArray[np.int64]) -> Tree:
        """The tree by other items: of each frame a list, outermost first, of each reason one."""
        starts = np.append(of_frame.starts, of_frame.starts[-1] + 1 + np.arange(len(stops)))
        return trees.through(self.tree, Lists(starts, np.append(of_frame.items, stops)))

    def row(self) -> dict[str, pa.Array]:
        """Columns of a row of the database, each with one value."""
        tree = self.tree
        is_stop = tree.item >= len(self.frame_ids)
        is_frame = (tree.item >= 0) & ~is_stop
        ids = np.zeros(len(tree), np.uint64)
        ids[is_frame] = self.frame_ids[tree.item[is_frame]]
        stops = [
            (node, self.reasons[int(tree.item[node]) - len(self.frame_ids)])
            for node in np.flatnonzero(is_stop).tolist()
        ]
        parents = np.append(0, tree.parent[1:])
        lists = (parents, ids, tree.total, tree.pruned, tree.pruned_nodes)
        numbers = {"incomplete": self.incomplete, "unknown": self.unknown}
        return {
            "value": pa.array([int(tree.total[0])], pa.int64()),
            **{name: pa.array([value], pa.int64()) for name, value in numbers.items()},
            "stops": pa.array([stops], pa.map_(pa.uint32(), pa.string())),
            **{
                name: pa.array([column], pa.list_(kind))
                for (name, kind), column in zip(_LISTS.items(), lists, strict=True)
            },
        }


def find(session: Session, selection: Selection, plan: Plan) -> tuple[Grown | None, Plan]:
    """The tree of hours and days of a plan that there are trees of, and the plan without these.

    There are none but of a service, and of all of them. Frames are in the temporary table GROWN.
    """
    name = _tree_of(selection.selector)
    if name is None or not (plan.hours or plan.days):
        return None, plan
    bound = selection.parameters(plan) | {"tree": name}
    texts = [sql.of_unit("grown", unit, selection.selector, plan) for unit in UNITS]
    session.keep(GROWN, " UNION ALL ".join(texts), bound)
    rows = session.ask(f"SELECT * FROM {GROWN}")
    starts: dict[str, set[int]] = {unit.name: set() for unit in UNITS}
    for unit, start in zip(rows["unit"].to_pylist(), rows["start"].to_pylist(), strict=True):
        starts[unit].add(start * 1000)
    return of_rows(rows), plan.without(**starts)


def _tree_of(selector: Selector) -> str | None:
    """The name of a selector's trees, None where there are none."""
    if not selector.matchers:
        return EVERYTHING
    first, *more = selector.matchers
    is_service = not more and (first.name, first.operator) == (SERVICE, "=")
    return first.value or None if is_service else None


def of_stacks(found: FoundStacks) -> Grown:
    """The tree of stacks, and of their rest as pruned at its root."""
    coded = pa.array(found.frame_ids.items).dictionary_encode()
    ids = np.asarray(coded.dictionary, np.uint64)
    items = Lists(found.frame_ids.starts, np.asarray(coded.indices, np.int64)).reversed()
    stops = len(ids) + np.arange(len(found.reasons))
    tree = trees.with_rest(trees.build(found.of_items(items, stops)), *found.rest)
    return Grown(tree, ids, found.reasons, found.incomplete, found.unknown)


def of_rows(rows: pa.Table) -> Grown:
    """One tree of all rows of the database."""
    parents, frame_ids, *sums = (column_of(rows, name) for name in _LISTS)
    coded = frame_ids.flatten().dictionary_encode()
    ids = np.asarray(coded.dictionary, np.uint64)
    items = np.asarray(coded.indices, np.int64).copy()
    starts = np.cumsum([0, *parents.value_lengths().to_pylist()])
    items[starts[:-1]] = -1
    reasons: dict[str, int] = {}
    for start, stops in zip(starts[:-1].tolist(), rows["stops"].to_pylist(), strict=True):
        for node, reason in stops:
            items[start + node] = len(ids) + reasons.setdefault(reason, len(reasons))
    columns = [np.asarray(one.flatten(), np.int64) for one in (parents, *sums)]
    found = [
        _tree(items[start:end], *(column[start:end] for column in columns))
        for start, end in pairwise(starts)
    ]
    values = (int(pc.sum(rows[name]).as_py() or 0) for name in ("incomplete", "unknown"))
    return Grown(trees.merged(found), ids, tuple(reasons), *values)


def _tree(
    item: Numbers, parent: Numbers, total: Numbers, pruned: Numbers, pruned_nodes: Numbers
) -> Tree:
    below = sums(parent[1:], total[1:], len(parent))
    above = np.append(-1, parent[1:])
    return Tree(above, item, total, total - pruned - below, pruned, pruned_nodes)


def merged(grown: Sequence[Grown]) -> Grown:
    """One tree of several."""
    ids = np.unique(np.concatenate([one.frame_ids for one in grown]))
    reasons = tuple(dict.fromkeys(reason for one in grown for reason in one.reasons))
    found = []
    for one in grown:
        frames = Lists(np.arange(len(one.frame_ids) + 1), np.searchsorted(ids, one.frame_ids))
        stops = [len(ids) + reasons.index(reason) for reason in one.reasons]
        found.append(one.through(frames, np.array(stops, np.int64)))
    values = (sum(getattr(one, name) for one in grown) for name in ("incomplete", "unknown"))
    return Grown(trees.merged(found), ids, reasons, *values)
