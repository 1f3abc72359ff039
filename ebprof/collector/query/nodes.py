"""A call tree as JSON: nested nodes, as flame graph libraries take them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ebprof.collector.query.frames import Name
from ebprof.collector.query.times import written_range
from ebprof.collector.query.tree import Numbers, Tree

if TYPE_CHECKING:
    from ebprof.collector.query.flamegraph import Summary

_PRUNED = "~pruned"
_END = -1


def tree_json(tree: Tree, names: Mapping[int, Name], summary: Summary) -> bytes:
    """The answer's object: a summary, and `root`, whose `children` are the outermost functions."""
    text = "".join(_nodes(tree, names))
    return f'{json.dumps(head(summary))[:-1]}, "root": {text}}}\n'.encode()


def head(summary: Summary) -> dict[str, Any]:
    """What an answer says of what it is of."""
    return {
        "type": summary.type,
        "unit": summary.unit,
        **written_range(summary.covered),
        "total": summary.total,
        "incomplete": summary.incomplete,
        "unknown": summary.unknown,
        "pruned": summary.pruned,
        "pruned_nodes": summary.pruned_nodes,
        "nameless": summary.nameless,
    }


def _nodes(tree: Tree, names: Mapping[int, Name]) -> Iterator[str]:
    """Text of the root, without recursion: stacks may be deeper than Python's.

    Children stand in the order of their names, behind what was pruned.
    """
    order, starts = _children(tree, names)
    is_behind = np.ones(len(tree), bool)
    is_behind[order[starts[1:][np.diff(starts) > 0] - 1]] = False
    is_behind[1:] |= tree.pruned_nodes[tree.parent[1:]] > 0
    is_behind[0] = False
    texts = _texts(tree, names, is_behind)
    children, bounds = order.tolist(), starts.tolist()
    ahead = [0]
    while ahead:
        node = ahead.pop()
        if node == _END:
            yield "]}"
            continue
        yield texts[node]
        ahead.append(_END)
        ahead += children[bounds[node] : bounds[node + 1]]


def _texts(tree: Tree, names: Mapping[int, Name], is_behind: npt.NDArray[np.bool_]) -> list[str]:
    """Of each node up to its children; is_behind: whether something stands before it."""
    heads = {item: _head(name) for item, name in names.items()} | {-1: '{"name":"total"'}
    columns = (tree.item, tree.total, tree.own, is_behind)
    texts = [
        f'{"," * comma}{heads[item]},"value":{total},"self":{own},"children":['
        for item, total, own, comma in zip(*(one.tolist() for one in columns), strict=True)
    ]
    for node in np.flatnonzero(tree.pruned_nodes).tolist():
        value, nodes = int(tree.pruned[node]), int(tree.pruned_nodes[node])
        texts[node] += f'{{"name":"{_PRUNED}","value":{value},"self":{value},"nodes":{nodes}}}'
    return texts


def _head(name: Name) -> str:
    function, module, is_kernel = name
    text = f'{{"name":{json.dumps(function)}'
    if module:
        text += f',"module":{json.dumps(module)}'
    return text + ',"kernel":true' if is_kernel else text


def _children(tree: Tree, names: Mapping[int, Name]) -> tuple[Numbers, Numbers]:
    """Nodes by parent, the last by name first; where those of each parent begin, and the end."""
    by_name = np.array(sorted(names, key=lambda one: names[one][0]), np.int64)
    sorter = np.argsort(by_name)
    rank = sorter[np.searchsorted(by_name, tree.item[1:], sorter=sorter)]
    order = 1 + np.lexsort((-rank, tree.parent[1:]))
    return order, np.searchsorted(tree.parent[1:], np.arange(len(tree) + 1))
