"""Trees of stacks are what a loop over stacks would make of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebprof.collector.query import tree as trees
from ebprof.collector.query.tree import Stacks, Tree
from ebprof.model import Lists

STACKS = st.lists(
    st.tuples(st.lists(st.integers(0, 3), max_size=6), st.integers(0, 1 << 60)), max_size=8
)


def stacks(pairs: list[tuple[list[int], int]]) -> Stacks:
    starts = np.cumsum([0, *(len(items) for items, _ in pairs)])
    items = np.array([item for each, _ in pairs for item in each], np.int64)
    return Stacks(items, starts, np.array([value for _, value in pairs], np.int64))


def paths(tree: Tree, column: np.ndarray) -> dict[tuple[int, ...], int]:
    """A column by the items from the root on."""
    of_node: list[tuple[int, ...]] = [()]
    for node in range(1, len(tree)):
        of_node.append((*of_node[tree.parent[node]], int(tree.item[node])))
    return {path: int(value) for path, value in zip(of_node, column, strict=True)}


@given(STACKS)
def test_totals_are_sums_of_stacks(pairs: list[tuple[list[int], int]]) -> None:
    pairs = [(items, value >> 4) for items, value in pairs]
    tree = trees.build(stacks(pairs))
    total: Counter[tuple[int, ...]] = Counter({(): 0})
    own: Counter[tuple[int, ...]] = Counter()
    for items, value in pairs:
        own[tuple(items)] += value
        for length in range(len(items) + 1):
            total[tuple(items[:length])] += value
    assert paths(tree, tree.total) == dict(total)
    assert {path: one for path, one in paths(tree, tree.own).items() if one} == dict(+own)


@given(STACKS, st.integers(1, 10))
def test_what_is_pruned_is_summed(pairs: list[tuple[list[int], int]], most: int) -> None:
    pairs = [(items, value >> 4) for items, value in pairs]
    whole = trees.build(stacks(pairs))
    tree = trees.prune(whole, most)
    assert len(tree) <= most + 1
    assert len(tree) + tree.pruned_nodes.sum() == len(whole)
    below = np.zeros(len(tree), np.int64)
    np.add.at(below, tree.parent[1:], tree.total[1:])
    assert (tree.own + tree.pruned + below == tree.total).all()
    totals = paths(whole, whole.total)
    assert all(totals[path] == value for path, value in paths(tree, tree.total).items())


def test_the_largest_nodes_are_kept() -> None:
    tree = trees.prune(trees.build(stacks([([0, 1], 10), ([0, 2], 9), ([3], 8), ([4, 5], 7)])), 3)
    assert set(paths(tree, tree.total)) == {(), (0,), (0, 1), (0, 2)}
    assert tree.pruned.tolist() == [15, 0, 0, 0]
    assert tree.pruned_nodes.tolist() == [3, 0, 0, 0]


@pytest.mark.parametrize("most", [1, 5])
def test_deep_stacks_need_no_recursion(most: int) -> None:
    tree = trees.prune(trees.build(stacks([([0] * 5_000, 1)])), most)
    assert tree.pruned_nodes.sum() == 5_000 - most


@given(st.lists(STACKS, max_size=4))
def test_merged_trees_are_the_tree_of_all_stacks(parts: list[list[tuple[list[int], int]]]) -> None:
    parts = [[(items, value >> 4) for items, value in pairs] for pairs in parts]
    found = trees.merged([trees.build(stacks(pairs)) for pairs in parts])
    expected = trees.build(stacks([pair for pairs in parts for pair in pairs]))
    for name in ("parent", "item", "total", "own", "pruned", "pruned_nodes"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()


@given(st.lists(STACKS, min_size=1, max_size=4), st.integers(1, 10))
def test_what_is_pruned_of_several_trees_is_summed(
    parts: list[list[tuple[list[int], int]]], most: int
) -> None:
    parts = [[(items, value >> 6) for items, value in pairs] for pairs in parts]
    found = [trees.prune(trees.build(stacks(pairs)), most) for pairs in parts]
    tree = trees.merged(found)
    assert tree.pruned_nodes.sum() == sum(one.pruned_nodes.sum() for one in found)
    below = np.zeros(len(tree), np.int64)
    np.add.at(below, tree.parent[1:], tree.total[1:])
    assert (tree.own + tree.pruned + below == tree.total).all()
    assert tree.total[0] == sum(value for pairs in parts for _, value in pairs)


LISTS = [[7], [7, 1], [1], [2, 7, 7]]


@given(STACKS, st.integers(1, 10))
def test_items_become_lists_as_they_would_in_stacks(
    pairs: list[tuple[list[int], int]], most: int
) -> None:
    pairs = [(items, value >> 6) for items, value in pairs]
    lists = Lists(
        np.cumsum([0, *map(len, LISTS)]), np.array([one for each in LISTS for one in each])
    )
    found = trees.through(trees.build(stacks(pairs)), lists)
    longer = [([one for item in items for one in LISTS[item]], value) for items, value in pairs]
    expected = trees.build(stacks(longer))
    for name in ("parent", "item", "total", "own"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist()
    pruned = trees.through(trees.prune(trees.build(stacks(pairs)), most), lists)
    below = np.zeros(len(pruned), np.int64)
    np.add.at(below, pruned.parent[1:], pruned.total[1:])
    assert (pruned.own + pruned.pruned + below == pruned.total).all()
