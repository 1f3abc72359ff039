"""A call tree as columns, of any number of stacks: level by level, without a loop over stacks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ebprof.model import sums

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stacks:
    """items: of all stacks one behind the other, each root first; starts: int64[n + 1], where each
    begins; values: int64[n].
    """

    items: Numbers
    starts: Numbers
    values: Numbers


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes by level, parents before children; node 0 is the root, whose item is -1.

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
