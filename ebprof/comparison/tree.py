"""The call tree of one profile, with what the other has at each node of it."""

from __future__ import annotations

from dataclasses import dataclass

from ebprof.comparison.join import Comparison, Pair
from ebprof.comparison.ranking import BEFORE
from ebprof.output import _tree
from ebprof.output._functions import Function, FunctionIndex, Lines
from ebprof.output._tree import Tree


@dataclass(frozen=True, slots=True)
class PairTree:
    """A call tree as wide as one profile, and both profiles' samples by its nodes.

    total: samples that pass through each node, own: that end there; as `tree.nodes`. Where both
    have a node all of it is counted, also in stacks that only the other one has.
    """

    tree: Tree
    total: list[Pair]
    own: list[Pair]


def plant(comparison: Comparison, widths: str) -> PairTree:
    """The tree that is as wide as A (BEFORE) or B."""
    side = 0 if widths == BEFORE else 1
    index = _index(comparison.functions)
    drawn = {one.path: one.count[side] for one in comparison.stacks if one.count[side]}
    total, own = _pairs(comparison, index)
    kept = [number for number, count in enumerate(total) if count[side]]
    return PairTree(
        _tree.merge(drawn, index),
        [total[number] for number in kept],
        [own[number] for number in kept],
    )


def whole(comparison: Comparison) -> Tree:
    """The tree of all stacks of both, with a branch for each of `comparison.stacks`."""
    return _merged(comparison, _index(comparison.functions))


def _merged(comparison: Comparison, index: FunctionIndex) -> Tree:
    return _tree.merge({one.path: sum(one.count) for one in comparison.stacks}, index)


def _pairs(comparison: Comparison, index: FunctionIndex) -> tuple[list[Pair], list[Pair]]:
    """Total and own samples of each node of the tree of all stacks, in preorder."""
    every = _merged(comparison, index)
    before, after = [0] * len(every.nodes), [0] * len(every.nodes)
    own = [Pair()] * len(every.nodes)
    path: list[int] = []
    new = iter(range(len(every.nodes)))
    for stack, common, added in zip(comparison.stacks, every.common, every.added, strict=True):
        path[common:] = [next(new) for _ in range(added)]
        for number in path:
            before[number] += stack.count.before
            after[number] += stack.count.after
        if path:
            own[path[-1]] = stack.count
    return list(map(Pair, before, after)), own


def _index(functions: tuple[Function, ...]) -> FunctionIndex:
    """Lines are left out: they are other ones in each build."""
    numbers = {function: number for number, function in enumerate(functions)}
    return FunctionIndex(list(functions), [Lines() for _ in functions], numbers)
