"""A call tree as JSON: nested nodes, as flame graph libraries take them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ebprof.collector.query.frames import Name
from ebprof.collector.query.times import written
from ebprof.collector.query.tree import Tree

if TYPE_CHECKING:
    from ebprof.collector.query.flamegraph import Summary

_PRUNED = "~pruned"


def tree_json(tree: Tree, names: Mapping[int, Name], summary: Summary) -> bytes:
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


def _nodes(tree: Tree, names: Mapping[int, Name]) -> Iterator[str]:
    """Text of the root, without recursion: stacks may be deeper than Python's.

    Children stand in the order of their names.
    """
    heads = {item: _head(name) for item, name in names.items()}
    columns = (tree.item, tree.total, tree.own, tree.pruned, tree.pruned_nodes)
    rows = [*zip(*(column.tolist() for column in columns), strict=True)]
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
        item, total, own, pruned, nodes = rows[node]
        head = heads[item] if item >= 0 else '{"name":"total"'
        yield f'{head},"value":{total},"self":{own},"children":['
        if nodes:
            yield f'{{"name":"{_PRUNED}","value":{pruned},"self":{pruned},"nodes":{nodes}}}'
        stack.append(iter(children[node]))
        is_first.append(not nodes)


def _head(name: Name) -> str:
    function, module, is_kernel = name
    found: dict[str, object] = {"name": function}
    if module:
        found["module"] = module
    if is_kernel:
        found["kernel"] = True
    return json.dumps(found)[:-1]


def _children(tree: Tree, names: Mapping[int, Name]) -> list[list[int]]:
    """Of each node, by name."""
    found: list[list[int]] = [[] for _ in range(len(tree))]
    ranks = {item: rank for rank, item in enumerate(sorted(names, key=lambda one: names[one][0]))}
    parents, items = tree.parent.tolist(), tree.item.tolist()
    for node in sorted(range(1, len(tree)), key=lambda one: ranks[items[one]]):
        found[parents[node]].append(node)
    return found
