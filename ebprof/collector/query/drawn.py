"""Call trees as columns, with what is known of their functions: for those who draw them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebprof.collector.query import tree as trees
from ebprof.collector.query.columns import column_of
from ebprof.collector.query.frames import Frames, Functions
from ebprof.collector.query.tree import Numbers, Tree
from ebprof.model import Lists
from ebprof.output import _functions

if TYPE_CHECKING:
    from ebprof.collector.query.flamegraph import Found

KINDS = (
    *(_functions.USER, _functions.KERNEL, _functions.JIT, _functions.UNKNOWN),
    *(_functions.STOP, "pruned"),
)
_STOP, _PRUNED = KINDS.index(_functions.STOP), KINDS.index("pruned")
PRUNED = "~pruned"


class Function(NamedTuple):
    """What nodes of a tree are of. kind: an index of KINDS."""

    name: str
    module: str
    kind: int


class Lines(NamedTuple):
    """Where a function's code is from; empty and 0 where that is not known."""

    file: str = ""
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A tree whose items are indices of functions. What was pruned is nodes too."""

    tree: Tree
    functions: tuple[Function, ...]
    lines: Mapping[Function, Lines]


def drawn(found: Found, functions: Functions, tree: Tree) -> Drawn:
    """A tree of what was found; its items: numbers of functions and, above these, of reasons."""
    items = np.unique(tree.item[1:])
    known = _called(found, functions, items)
    lines = dict(zip(known, _lines(found.frames, functions, items), strict=False))
    numbers = {function: number for number, function in enumerate(dict.fromkeys(known))}
    place = np.array([numbers[one] for one in known], np.int64)
    item = np.append(-1, place[np.searchsorted(items, tree.item[1:])])
    return _with_pruned(tree, item, list(numbers), lines)


def together(sides: Sequence[Drawn]) -> tuple[Drawn, list[Numbers]]:
    """One tree of several, of the sum of all, and what ends at its nodes in each of them."""
    every = dict.fromkeys(function for side in sides for function in side.functions)
    numbers = {function: number for number, function in enumerate(every)}
    lines = {function: found for side in sides for function, found in side.lines.items()}
    renamed = []
    for side in sides:
        place = np.array([numbers[one] for one in side.functions], np.int64)
        renamed.append(_replaced(side.tree, item=np.append(-1, place[side.tree.item[1:]])))
    # Structure does not depend on values: each merge has the same nodes.
    own = [
        trees.merged([one if at == which else _empty(one) for at, one in enumerate(renamed)]).own
        for which in range(len(sides))
    ]
    return Drawn(trees.merged(renamed), tuple(numbers), lines), own


def columns(found: Drawn, values: Mapping[str, Numbers]) -> dict[str, Any]:
    """Members of an answer. values: columns by node.

    Functions stand in the order of their names, nodes behind their parents.
    """
    order = sorted(range(len(found.functions)), key=lambda one: found.functions[one])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    functions = [found.functions[one] for one in order]
    lines = [found.lines.get(one, Lines()) for one in functions]
    modules = list(dict.fromkeys(one.module for one in functions))
    files = list(dict.fromkeys(("", *(one.file for one in lines))))
    module_of = {name: number for number, name in enumerate(modules)}
    file_of = {name: number for number, name in enumerate(files)}
    return {
        "kinds": KINDS,
        "modules": modules,
        "files": files,
        "functions": {
            "name": [one.name for one in functions],
            "module": [module_of[one.module] for one in functions],
            "kind": [one.kind for one in functions],
            "file": [file_of[one.file] for one in lines],
            "first": [one.first for one in lines],
            "last": [one.last for one in lines],
        },
        "parent": found.tree.parent.tolist(),
        "function": [-1, *rank[found.tree.item[1:]].tolist()],
        **{name: column.tolist() for name, column in values.items()},
    }


def written(*members: Mapping[str, Any]) -> bytes:
    """One JSON object of the members of several."""
    merged = {name: one[name] for one in members for name in one}
    return json.dumps(merged, separators=(",", ":")).encode() + b"\n"


def _called(found: Found, functions: Functions, items: Numbers) -> list[Function]:
    is_function = items < len(functions)
    numbers = items[is_function]
    kinds = _kinds_of_modules(found.frames)
    called = [
        Function(name, module, _kind(name, kinds[at]))
        for (name, module, _), at in zip(
            functions.called(numbers), functions.module[numbers].tolist(), strict=True
        )
    ]
    stops = [found.reasons[one] for one in (items[~is_function] - len(functions)).tolist()]
    return [*called, *(Function(f"[incomplete: {one}]", "", _STOP) for one in stops)]


def _kinds_of_modules(frames: Frames) -> list[str]:
    """What code in each module is that has a name; the last is what is in none."""
    paths = column_of(frames.table, "module").dictionary_encode().dictionary.to_pylist()
    return [*(_functions.kind_of(path, "") for path in paths), _functions.USER]


def _kind(name: str, kind: str) -> int:
    if kind != _functions.KERNEL and (_functions.is_nameless(name) or name == "[unknown]"):
        kind = _functions.UNKNOWN
    return KINDS.index(kind)


def _lines(frames: Frames, functions: Functions, items: Numbers) -> list[Lines]:
    """Of those items that are functions."""
    if not len(frames.table):
        return [Lines() for _ in items]
    names = np.asarray(column_of(frames.table, "names").value_lengths(), np.int64)
    is_named = np.repeat(np.append(names, 0) > 0, np.maximum(np.append(names, 0), 1))
    numbers = functions.of_location.items[is_named]
    starts = np.append(0, np.cumsum(names))
    files = column_of(frames.table, "files").flatten().dictionary_encode()
    file = Lists(starts, np.asarray(files.indices, np.int64)).reversed().items
    line_numbers = np.asarray(column_of(frames.table, "lines").flatten(), np.int64)
    line = Lists(starts, line_numbers).reversed().items
    last = np.zeros(len(functions), np.int64)
    np.maximum.at(last, numbers, line)
    first = np.full(len(functions), np.iinfo(np.int64).max)
    np.minimum.at(first, numbers[line > 0], line[line > 0])
    first[last == 0] = 0
    place = np.full(len(functions), -1)
    texts = [*map(str, files.dictionary.to_pylist()), ""]  # the last one is of those without
    is_given = np.array([bool(one) for one in texts], bool)
    has_file = is_given[file] if len(file) else np.zeros(0, bool)
    place[numbers[has_file]] = file[has_file]
    return [
        Lines(texts[place[one]], int(first[one]), int(last[one]))
        for one in items[items < len(functions)].tolist()
    ]


def _with_pruned(
    tree: Tree, item: Numbers, functions: list[Function], lines: Mapping[Function, Lines]
) -> Drawn:
    """A node behind all others for what was pruned below each."""
    parents = np.flatnonzero(tree.pruned > 0)
    if not len(parents):
        return Drawn(_replaced(tree, item=item), tuple(functions), lines)
    pruned = tree.pruned[parents]
    nothing = np.zeros(len(tree) + len(parents), np.int64)
    more = Tree(
        np.append(tree.parent, parents),
        np.append(item, np.full(len(parents), len(functions))),
        np.append(tree.total, pruned),
        np.append(tree.own, pruned),
        nothing,
        nothing,
    )
    depth = np.repeat(np.arange(len(tree.levels()) - 1), np.diff(tree.levels()))
    of_all = np.append(depth, depth[parents] + 1)
    return Drawn(trees.of_levels(of_all, more), (*functions, Function(PRUNED, "", _PRUNED)), lines)


def _empty(tree: Tree) -> Tree:
    nothing = np.zeros(len(tree), np.int64)
    return Tree(tree.parent, tree.item, nothing, nothing, nothing, nothing)


def _replaced(tree: Tree, item: Numbers) -> Tree:
    return Tree(tree.parent, item, tree.total, tree.own, tree.pruned, tree.pruned_nodes)
