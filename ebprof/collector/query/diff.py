"""Two selections as one call tree: `profiles/diff`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ebprof.collector.query.builds import told_apart
from ebprof.collector.query.drawn import Drawn, columns, together, written
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

    @property
    def seconds(self) -> float:
        """The length of the range."""
        return self.summary.covered.length_ms / 1000

    @property
    def rate(self) -> float:
        """The total of a second and node."""
        return round(self.summary.total / self.seconds / self.nodes, 3)


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
        found = self.drawn(database)
        pairs = zip((self.left, self.right), found, strict=True)
        sides = [Side(one, _nodes(selection, one, database)) for selection, (_, one) in pairs]
        tree, own = together([one for one, _ in found])
        heads = [
            head(one.summary) | {"seconds": one.seconds, "nodes": one.nodes, "rate": one.rate}
            for one in sides
        ]
        named = {"type": self.left.type, "unit": sides[0].summary.unit}
        sums = dict(zip(("left_self", "right_self"), own, strict=True))
        both = dict(zip(("left", "right"), heads, strict=True))
        return DiffAnswer(sides[0], sides[1], written(named, both, columns(tree, sums)))

    def drawn(self, database: Asked) -> list[tuple[Drawn, Summary]]:
        """The tree of each side, by names that are the same where the code is."""
        graphs, found = [], []
        for selection in (self.left, self.right):
            graphs.append(Flamegraph(selection, COLUMNS, self.max_nodes))
            with database.session() as session:
                selection.check(session)
                found.append(graphs[-1].look_up(session))
        frames = told_apart([one.frames for one in found])
        named = (replace(one, frames=each) for one, each in zip(found, frames, strict=True))
        return [graph.draw(one) for graph, one in zip(graphs, named, strict=True)]


def _nodes(selection: Selection, summary: Summary, database: Asked) -> int:
    """How many nodes there were; 1 where labels do not tell, or nothing is there by the hour."""
    step = -(-summary.covered.length_ms // HOUR_MS) * HOUR_MS
    try:
        found: TotalsAnswer = Totals(selection, (NODE,), step).answer(database)
    except BadQuestionError:
        return 1
    return max(1, sum(1 for one in found.series if any(one.labels)))
