"""A call tree as JSON: nested nodes, as flame graph libraries take them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ebprof.collector.query.times import written
from ebprof.collector.query.tree import Tree

if TYPE_CHECKING:
    from ebprof.collector.query.flamegraph import Summary

_PRUNED = "~pruned"
Name = tuple[str, str, bool]


def tree_json(tree: Tree, names: Sequence[Name], summary: Summary) -> bytes:
    """The answer's object: a summary, and `root`, whose `children` are the outermost functions."""
    head = {
        "type": summary.type,
        "unit": summary.unit,
        "from": written(summary.covered.start_ms),
        "to": written(summary.covered.end_ms),
        "total": summary.total,
        "incomplete": summary.incomplete,
        "unknown": summary.unknown,
        "pruned": summary.pruned,
        "pruned_nodes": summary.pruned_nodes,
    }
    text = "".join(_nodes(tree, names))
    return f'{json.dumps(head)[:-1]}, "root": {text}}}\n'.encode()


def _nodes(tree: Tree, names: Sequence[Name]) -> Iterator[str]:
    """Text of the root, without recursion: stacks may be deeper than Python's.

    Children stand in the order of their names.
    """
    heads = [_head(name) for name in names]
    children = _children(tree, names)
    stack: list[Iterator[int]] = [iter((0,))]
    is_first = [True]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
            is_first.pop()
            if stack:
                yield "]}"
            continue
        yield "" if is_first[-1] else ","
        is_first[-1] = False
        item = int(tree.item[node])
        head = heads[item] if item >= 0 else '{"name":"total"'
        yield f'{head},"value":{tree.total[node]},"self":{tree.own[node]},"children":['
        if tree.pruned_nodes[node]:
            value, count = tree.pruned[node], tree.pruned_nodes[node]
            yield f'{{"name":"{_PRUNED}","value":{value},"self":{value},"nodes":{count}}}'
        stack.append(iter(children[node]))
        is_first.append(not tree.pruned_nodes[node])


def _head(name: Name) -> str:
    function, module, is_kernel = name
    found: dict[str, object] = {"name": function}
    if module:
        found["module"] = module
    if is_kernel:
        found["kernel"] = True
    return json.dumps(found)[:-1]


def _children(tree: Tree, names: Sequence[Name]) -> list[list[int]]:
    """Of each node, by name."""
    found: list[list[int]] = [[] for _ in range(len(tree))]
    rank = np.empty(len(names) + 1, np.int64)
    rank[np.argsort(np.array([name[0] for name in names] + [""], object), kind="stable")] = (
        np.arange(len(names) + 1)
    )
    numbers = np.arange(1, len(tree))
    for node in numbers[np.argsort(rank[tree.item[1:]], kind="stable")].tolist():
        found[int(tree.parent[node])].append(node)
    return found
