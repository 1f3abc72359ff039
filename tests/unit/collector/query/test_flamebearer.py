"""Levels are read as Grafana reads them: each node lies in its parent."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from ebprof.collector.query import flamebearer
from ebprof.collector.query import tree as trees
from ebprof.collector.query.drawn import Drawn, Function, together
from ebprof.collector.query.tree import Stacks
from ebprof.wire.querier import DiffResponse, SelectMergeStacktracesResponse

NAMES = tuple("abcde")


def drawn(stacks: dict[str, int]) -> Drawn:
    """A tree of stacks of one letter a function, root first."""
    lengths = [len(one) for one in stacks]
    items = np.array([NAMES.index(letter) for one in stacks for letter in one], np.int64)
    starts = np.append(0, np.cumsum(lengths)).astype(np.int64)
    tree = trees.build(Stacks(items, starts, np.array([*stacks.values()], np.int64)))
    return Drawn(tree, tuple(Function(one, "", 0) for one in NAMES), {})


def self_values(graph: Any, side: int, width: int) -> Counter[str]:
    """Values by stack: a node belongs to the node above it that it lies in, on the left side."""
    found: Counter[str] = Counter()
    above = [("", 0, 1 << 62)]
    for level in graph.levels:
        rows = np.array(level.values).reshape(-1, width)
        end, here = 0, []
        for row in rows.tolist():
            distance, total, own = row[3 * side : 3 * side + 3]
            start, end = end + distance, end + distance + total
            assert distance >= 0
            (path, *_) = [one for one in above if one[1] <= start and end <= one[2]]
            name = "" if graph.names[row[-1]] == "total" else graph.names[row[-1]]
            here.append((path[0] + name, start, end))
            found[path[0] + name] += own
        above = here
    return +found


def random_stacks(seed: int) -> dict[str, int]:
    source = random.Random(seed)
    return {
        "".join(source.choices(NAMES, k=source.randint(1, 6))): source.randint(1, 9)
        for _ in range(source.randint(1, 40))
    }


@pytest.mark.parametrize("seed", range(20))
def test_a_graph_has_all_stacks(seed: int) -> None:
    stacks = random_stacks(seed)
    found, graph = drawn(stacks), SelectMergeStacktracesResponse().flamegraph
    flamebearer._fill(graph, found, [(found.tree.total, found.tree.own)])
    assert self_values(graph, 0, 4) == stacks
    assert (graph.total, graph.max_self) == (sum(stacks.values()), max(stacks.values()))
    assert list(graph.levels[0].values) == [0, graph.total, 0, 0]


def test_a_difference_has_the_sides_beside_each_other() -> None:
    left, right = {"ab": 3, "ac": 1, "d": 2}, {"ab": 5, "ad": 7}
    both, own = together([drawn(left), drawn(right)])
    totals = [flamebearer._totals(both.tree, one) for one in own]
    graph = DiffResponse().flamegraph
    flamebearer._fill(graph, both, [*zip(totals, own, strict=True)])
    assert list(graph.levels[0].values) == [0, 6, 0, 0, 12, 0, 0]
    nodes = np.array(graph.levels[1].values).reshape(-1, 7)
    a, d = (list(graph.names).index(name) for name in "ad")
    assert {tuple(one) for one in nodes[:, [1, 4, 6]].tolist()} == {(4, 12, a), (2, 0, d)}
    assert (graph.total, graph.max_self) == (18, 7)


def test_nothing_has_no_levels() -> None:
    graph = SelectMergeStacktracesResponse().flamegraph
    empty = Drawn(trees.build(Stacks(*(np.zeros(one, np.int64) for one in (0, 1, 0)))), (), {})
    flamebearer._fill(graph, empty, [(empty.tree.total, empty.tree.own)])
    assert not graph.levels
