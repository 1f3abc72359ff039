"""Two selections as one call tree: `profiles/diff`."""

from __future__ import annotations

from dataclasses import dataclass

from ebprof.collector.query.drawn import columns, together, written
from ebprof.collector.query.flamegraph import COLUMNS, DEFAULT_NODES, Flamegraph, Summary
from ebprof.collector.query.nodes import head
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.query.selection import Selection
from ebprof.collector.query.totals import Totals, TotalsAnswer
from ebprof.collector.store.question import Asked, BadQuestionError

NODE = "node"


@dataclass(frozen=True, slots=True)
class Side:
    """What one side was of. nodes: values of the label `node` that had samples, 1 at least."""

    summary: Summary
    nodes: int


@dataclass(frozen=True, slots=True)
class DiffAnswer:
    """body: JSON."""

    left: Side
    right: Side
    body: bytes


@dataclass(frozen=True, slots=True)
class Diff:
    """Two selections of the same type. max_nodes: of the tree of each, 0 for all."""

    left: Selection
    right: Selection
    max_nodes: int = DEFAULT_NODES

    def answer(self, database: Asked) -> DiffAnswer:
        """Look both up; raises BadQuestionError."""
        trees, sides = [], []
        for selection in (self.left, self.right):
            with database.session() as session:
                selection.check(session)
                tree, summary = Flamegraph(selection, COLUMNS, self.max_nodes).drawn(session)
            trees.append(tree)
            sides.append(Side(summary, _nodes(selection, summary, database)))
        tree, own = together(trees)
        heads = [head(one.summary) | {"nodes": one.nodes} for one in sides]
        named = {"type": self.left.type, "unit": sides[0].summary.unit}
        sums = dict(zip(("left_self", "right_self"), own, strict=True))
        both = dict(zip(("left", "right"), heads, strict=True))
        return DiffAnswer(sides[0], sides[1], written(named, both, columns(tree, sums)))


def _nodes(selection: Selection, summary: Summary, database: Asked) -> int:
    """How many nodes there were; 1 where labels do not tell, or nothing is there by the hour."""
    step = -(-summary.covered.length_ms // HOUR_MS) * HOUR_MS
    try:
        found: TotalsAnswer = Totals(selection, (NODE,), step).answer(database)
    except BadQuestionError:
        return 1
    return max(1, sum(1 for one in found.series if any(one.labels)))
