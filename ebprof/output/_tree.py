"""Merges samples into a call tree: what flame graphs are drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ebprof.model import Numbers, Profile, Tables
from ebprof.output import _functions
from ebprof.output._functions import Function, FunctionIndex


@dataclass(slots=True)
class Tree:
    """A call tree as its branches: distinct stacks in sorted order.

    Each branch shares its `common` outermost nodes with the branch before it and adds `added`
    nodes, its own, below them; `count` samples end at the last. Read one after the other the
    added nodes are the tree in preorder, siblings sorted by function.

    nodes: index into `index.functions` of every node. Depth 0 holds processes (by comm), if
    any has a name; the root, which holds all `total` samples, is not a node.
    """

    index: FunctionIndex
    nodes: list[int] = field(default_factory=list)
    common: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    total: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a tree.

    start: number of samples in what stands before it at its depth. number: index in the tree's
    nodes, -1 for what stands for the root.
    """

    function: Function
    depth: int
    start: int
    count: int
    number: int


def build(profile: Profile) -> Tree:
    """Merge the samples of a profile; incomplete stacks stand under their stop reason."""
    return merge(*_stacks(profile))


def merge(stacks: Mapping[tuple[int, ...], int], index: FunctionIndex) -> Tree:
    """Merge stacks, which are functions of the index, outermost first, with their counts."""
    tree = Tree(index, total=sum(stacks.values()))
    above: tuple[int, ...] = ()
    for stack in sorted(stacks):
        common = _common(above, stack)
        tree.nodes += stack[common:]
        tree.common.append(common)
        tree.added.append(len(stack) - common)
        tree.count.append(stacks[stack])
        above = stack
    return tree


def walk(tree: Tree, least: float = 0) -> Iterator[Node]:
    """The nodes of a tree that have at least `least` samples, each after what it calls."""
    path: list[tuple[int, int]] = []  # (node, samples before it)
    numbers = iter(range(len(tree.nodes)))
    before = 0
    for common, added, count in zip(tree.common, tree.added, tree.count, strict=True):
        yield from _close(tree, path, common, before, least)
        path += [(next(numbers), before) for _ in range(added)]
        before += count
    yield from _close(tree, path, 0, before, least)


def _close(
    tree: Tree, path: list[tuple[int, int]], depth: int, end: int, least: float
) -> Iterator[Node]:
    while len(path) > depth:
        number, start = path.pop()
        if end - start >= least:
            function = tree.index.functions[tree.nodes[number]]
            yield Node(function, len(path), start, end - start, number)


def _stacks(profile: Profile) -> tuple[Counter[tuple[int, ...]], FunctionIndex]:
    samples = profile.samples
    groups = samples.by("comm", "stop", "stack")
    found = samples.rows[groups.first]
    heads = _heads(samples.tables, found, is_named=_functions.has_comms(profile))
    index = _functions.index_functions(profile, {one for head in heads for one in head})
    outer = [tuple(index.numbers[one] for one in head) for head in heads]
    paths = index.paths(samples.tables.stacks.take(found["stack"])).values()
    stacks: Counter[tuple[int, ...]] = Counter()
    for head, path, count in zip(outer, paths, groups.sums(samples.counts).tolist(), strict=True):
        stacks[(*head, *path)] += count
    return stacks, index


def _heads(tables: Tables, rows: Numbers, *, is_named: bool) -> list[list[Function]]:
    """What stands above the outermost frame of each of some samples."""
    text = tables.strings
    names, reasons = rows["comm"].tolist(), rows["stop"].tolist()
    processes = {one: [_functions.process(text[one])] if is_named else [] for one in {*names}}
    stops = {one: [*filter(None, [_functions.stop(text[one])])] for one in {*reasons}}
    pairs = zip(names, reasons, strict=True)
    return [[*processes[comm], *stops[stop]] for comm, stop in pairs]


def _common(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """Length of the longest common prefix."""
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
