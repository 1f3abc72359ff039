"""Call trees by levels, as Pyroscope has them: each node by its distance from the one before it.

Source: querier.v1.FlameGraph and FlameGraphDiff of github.com/grafana/pyroscope, and how Grafana
reads them (`levelsToTree` of its datasource).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ebprof.collector.query.diff import Diff
from ebprof.collector.query.drawn import Drawn, together
from ebprof.collector.query.flamegraph import Flamegraph
from ebprof.collector.query.tree import Numbers, Tree
from ebprof.collector.store.question import Asked
from ebprof.wire.querier import DiffResponse, SelectMergeStacktracesResponse

TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Flamebearer:
    """A selection as a querier.v1.SelectMergeStacktracesResponse."""

    graph: Flamegraph

    def answer(self, database: Asked) -> bytes:
        """The serialized message; raises BadQuestionError."""
        with database.session() as session:
            self.graph.selection.check(session)
            found, _ = self.graph.drawn(session)
        response = SelectMergeStacktracesResponse()
        _fill(response.flamegraph, found, [(found.tree.total, found.tree.own)])
        return bytes(response.SerializeToString())


@dataclass(frozen=True, slots=True)
class FlamebearerDiff:
    """Two selections as a querier.v1.DiffResponse."""

    diff: Diff

    def answer(self, database: Asked) -> bytes:
        """The serialized message; raises BadQuestionError."""
        both, own = together([tree for tree, _ in self.diff.drawn(database)])
        totals = [_totals(both.tree, one) for one in own]
        response = DiffResponse()
        _fill(response.flamegraph, both, [*zip(totals, own, strict=True)])
        left, right = (int(total[0]) for total in totals)
        response.flamegraph.leftTicks, response.flamegraph.rightTicks = left, right
        return bytes(response.SerializeToString())


def _fill(graph: Any, found: Drawn, sides: Sequence[tuple[Numbers, Numbers]]) -> None:
    """Put levels into a message, none for no samples; sides: totals, and what ends at nodes."""
    if len(found.tree) == 1:
        return
    columns = []
    for total, own in sides:
        columns += [_distances(found.tree, total), total, own]
    values = np.stack([*columns, found.tree.item + 1], axis=1)
    graph.names.extend([TOTAL, *(one.name for one in found.functions)])
    for first, end in pairwise(found.tree.levels().tolist()):
        graph.levels.add().values.extend(values[first:end].ravel().tolist())
    graph.total = sum(int(total[0]) for total, _ in sides)
    graph.max_self = max(int(own.max()) for _, own in sides)


def _distances(tree: Tree, total: Numbers) -> Numbers:
    """How far each node begins behind the end of the one before it in its level.

    The first child begins where its parent does, the next ones where the one before them ends;
    nodes of a level are in the order of their parents.
    """
    start, distance = np.zeros(len(tree), np.int64), np.zeros(len(tree), np.int64)
    for first, end in pairwise(tree.levels()[1:].tolist()):
        parent, width = tree.parent[first:end], total[first:end]
        upto = np.cumsum(width)
        is_first = np.append(True, parent[1:] != parent[:-1])
        eldest = np.maximum.accumulate(np.where(is_first, np.arange(len(parent)), 0))
        begin = start[parent] + upto - width - (upto - width)[eldest]
        start[first:end] = begin
        distance[first:end] = begin - np.append(0, (begin + width)[:-1])
    return distance


def _totals(tree: Tree, own: Numbers) -> Numbers:
    """What ends at each node and below it."""
    total = own.copy()
    for first, end in reversed([*pairwise(tree.levels()[1:].tolist())]):
        np.add.at(total, tree.parent[first:end], total[first:end])
    return total
