"""A call tree as columns, of any number of stacks: level by level, without a loop over stacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ebprof.model import Lists, sums

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stacks:
    """items: of all stacks one behind the other, each root first; starts: int64[n + 1], where each
    begins; values: int64[n].
    """

    items: Numbers
    starts: Numbers
    values: Numbers


_NOTHING = Stacks(*(np.zeros(size, np.int64) for size in (0, 1, 0)))


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes by level, parents before children and in the same order; node 0 is the root, whose item
    is -1.

    total: of a node and all below it; own: of stacks that end at it. pruned: total of children
    that were left out, pruned_nodes: how many nodes that were.
    """

    parent: Numbers
    item: Numbers
    total: Numbers
    own: Numbers
    pruned: Numbers
    pruned_nodes: Numbers

    def __len__(self) -> int:
        return len(self.parent)

    def levels(self) -> Numbers:
        """int64[levels + 1]: where each level begins, and where the last one ends."""
        bounds = [0, 1]
        while bounds[-1] < len(self):
            bounds.append(int(np.searchsorted(self.parent, bounds[-1])))
        return np.array(bounds)


def build(stacks: Stacks) -> Tree:
    """Merge stacks that begin with the same items."""
    lengths = np.diff(stacks.starts)
    count = int(stacks.items.max(initial=-1)) + 1
    node = np.zeros(len(lengths), np.int64)
    parents, items = [np.array([-1])], [np.array([-1])]
    totals = [np.array([stacks.values.sum()])]
    size, level, active = 1, 0, np.flatnonzero(lengths > 0)
    while len(active):
        keys = node[active] * count + stacks.items[stacks.starts[active] + level]
        distinct, inverse = np.unique(keys, return_inverse=True)
        parents.append(distinct // count)
        items.append(distinct % count)
        totals.append(_sums(inverse, stacks.values[active], len(distinct)))
        node[active] = size + inverse
        size += len(distinct)
        level += 1
        active = active[lengths[active] > level]
    nothing = np.zeros(size, np.int64)
    return Tree(
        np.concatenate(parents),
        np.concatenate(items),
        np.concatenate(totals),
        _sums(node, stacks.values, size),
        nothing,
        nothing,
    )


def merged(trees: Sequence[Tree]) -> Tree:
    """One tree of what all of some trees are of."""
    if len(trees) < 2:
        return trees[0] if trees else build(_NOTHING)
    sizes = [len(tree) for tree in trees]
    firsts = np.cumsum([0, *sizes[:-1]])
    lengths = [np.diff(tree.levels()) for tree in trees]
    depth = [np.repeat(np.arange(len(one)), one) for one in lengths]
    parents = [tree.parent + first for tree, first in zip(trees, firsts, strict=True)]
    columns = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("item", "total", "own", "pruned", "pruned_nodes")
    )
    return of_levels(np.concatenate(depth), Tree(np.concatenate(parents), *columns))


def through(tree: Tree, lists: Lists) -> Tree:
    """The tree with the numbers of a list, outermost first, in place of that list's number.

    No list is empty.
    """
    lengths = np.append(1, lists.lengths[tree.item[1:]])
    ends = np.cumsum(lengths)
    last = ends - 1
    parent = np.arange(-1, ends[-1] - 1)
    parent[last[1:] - lengths[1:] + 1] = last[tree.parent[1:]]
    depth_of_last = np.zeros(len(tree), np.int64)
    for start, end in pairwise(tree.levels()[1:].tolist()):
        depth_of_last[start:end] = depth_of_last[tree.parent[start:end]] + lengths[start:end]
    depth = np.repeat(depth_of_last - last, lengths) + np.arange(ends[-1])
    item = np.append(-1, lists.take(tree.item[1:]).items)
    at_last = [np.zeros(len(parent), np.int64) for _ in range(3)]
    for column, found in zip(at_last, (tree.own, tree.pruned, tree.pruned_nodes), strict=True):
        column[last] = found
    return of_levels(depth, Tree(parent, item, np.repeat(tree.total, lengths), *at_last))


def of_levels(depth: Numbers, nodes: Tree) -> Tree:
    """A tree of nodes in any order, of which some are the same: of one parent, with one item.

    depth: of each node, 0 for roots.
    """
    order = np.argsort(depth, kind="stable")
    bounds = np.searchsorted(depth[order], np.arange(int(depth[order[-1]]) + 2)).tolist()
    count = int(nodes.item.max()) + 1
    node = np.zeros(len(nodes), np.int64)
    parents, items, size = [np.array([-1])], [np.array([-1])], 1
    for start, end in pairwise(bounds[1:]):
        level = order[start:end]
        keys = node[nodes.parent[level]] * count + nodes.item[level]
        distinct, inverse = np.unique(keys, return_inverse=True)
        parents.append(distinct // count)
        items.append(distinct % count)
        node[level] = size + inverse
        size += len(distinct)
    columns = (nodes.total, nodes.own, nodes.pruned, nodes.pruned_nodes)
    sums_of = (_sums(node, column, size) for column in columns)
    return Tree(np.concatenate(parents), np.concatenate(items), *sums_of)


def least_of(values: Numbers, most: int) -> int:
    """The smallest of the largest `most` values; of all where there are no more."""
    if len(values) <= most:
        return int(values.min(initial=0))
    return int(np.partition(values, len(values) - most)[len(values) - most])


def with_rest(tree: Tree, value: int, nodes: int) -> Tree:
    """The tree, with what was left out before it was built as pruned at its root."""
    total, pruned, pruned_nodes = tree.total.copy(), tree.pruned.copy(), tree.pruned_nodes.copy()
    total[0] += value
    pruned[0] += value
    pruned_nodes[0] += nodes
    return replace(tree, total=total, pruned=pruned, pruned_nodes=pruned_nodes)


def prune(tree: Tree, most: int) -> Tree:
    """The tree with its root and at most `most` other nodes, those of the largest totals."""
    if len(tree) - 1 <= most:
        return tree
    # No parent has less than its child, nor a larger number: what is kept is a tree.
    least = least_of(tree.total[1:], most)
    is_kept = tree.total > least
    is_kept[0] = False
    equal = 1 + np.flatnonzero(tree.total[1:] == least)
    is_kept[equal[: most - np.count_nonzero(is_kept)]] = True
    is_kept[0] = True
    return _without(tree, is_kept)


def _without(tree: Tree, is_kept: npt.NDArray[np.bool_]) -> Tree:
    keeper = np.where(is_kept, np.arange(len(tree)), tree.parent)
    while not is_kept[keeper].all():
        keeper = keeper[keeper]
    gone = np.flatnonzero(~is_kept)
    topmost = gone[is_kept[tree.parent[gone]]]
    pruned = tree.pruned + _sums(tree.parent[topmost], tree.total[topmost], len(tree))
    nodes = tree.pruned_nodes + np.bincount(keeper[gone], minlength=len(tree))
    renumbered = np.cumsum(is_kept) - 1
    parent = np.where(tree.parent >= 0, renumbered[tree.parent], -1)
    columns = (parent, tree.item, tree.total, tree.own, pruned, nodes)
    return Tree(*(column[is_kept] for column in columns))


def _sums(groups: npt.NDArray[np.intp], values: Numbers, size: int) -> Numbers:
    return sums(groups, values, size)
