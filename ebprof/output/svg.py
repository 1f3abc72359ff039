"""A static flame graph as SVG, for reports and slides; names and counts are tooltips.

Frames narrower than MIN_WIDTH are left out: their samples stay part of the frames below them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO
from xml.sax.saxutils import escape

from ebprof.model import Profile
from ebprof.output import _functions, _tree
from ebprof.output._functions import Function
from ebprof.output._text import amount, percent, printable
from ebprof.output._tree import Node, Tree

SUFFIXES = (".svg",)

WIDTH = 1200
MIN_WIDTH = 0.3

_ROW = 18
_MARGIN = 12
_HEADER = 54
_CHARACTER = 6.7  # of 11px monospace: a bit more than the widest of usual fonts
_SHORTEST_LABEL = 3

# Shades by kind; a function keeps its own wherever it stands.
_FILLS = {
    _functions.USER: ("#f6b26b", "#f7a35c", "#f9c46b", "#f5d07a"),
    _functions.KERNEL: ("#9ab9ee", "#8fc3ec", "#a9c4f2"),
    _functions.JIT: ("#97d6b0", "#a6dcb4"),
    _functions.UNKNOWN: ("#c6c5c2",),
    _functions.PROCESS: ("#d5c6e4",),
    _functions.STOP: ("#efbcc4",),
}

_STYLE = (
    "text{font:11px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1f2328}"
    "g:hover rect{stroke:#1f2328}.title{font:600 16px system-ui,'DejaVu Sans',sans-serif}"
    ".summary{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#5c6570}.inlined{font-style:italic}"
)


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the picture, as UTF-8, root at the bottom."""
    tree = _tree.build(profile)
    nodes = list(_tree.walk(tree, MIN_WIDTH / _scale(tree)))
    height = _HEADER + (max((node.depth for node in nodes), default=-1) + 2) * _ROW + _MARGIN
    nodes.append(Node(Function("all", kind=_functions.PROCESS), -1, 0, tree.total))
    file.write("".join(_document(profile, tree, nodes, height)).encode())


def _document(profile: Profile, tree: Tree, nodes: list[Node], height: int) -> Iterator[str]:
    title = f"{printable(profile.event)} flame graph"
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}">\n<style>{_STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fbfaf8"/>\n'
        f'<text class="title" x="{_MARGIN}" y="24">{escape(title)}</text>\n'
        f'<text class="summary" x="{_MARGIN}" y="42">{escape(_summary(profile))}</text>\n'
    )
    for node in nodes:
        yield _box(node, tree, height - _MARGIN - (node.depth + 2) * _ROW)
    yield "</svg>\n"


def _scale(tree: Tree) -> float:
    """Pixels a sample."""
    return (WIDTH - 2 * _MARGIN) / max(1, tree.total)


def _box(node: Node, tree: Tree, top: int) -> str:
    function = node.function
    left = _MARGIN + node.start * _scale(tree)
    width = node.count * _scale(tree)
    fills = _FILLS[function.kind]
    fill = fills[zlib.crc32(function.name.encode()) % len(fills)]
    share = f"{amount(node.count, 'sample')}, {percent(node.count, tree.total)}"
    place = f", {function.module}" if function.module else ""
    return (
        f"<g><title>{escape(function.name)} ({share}{escape(place)})</title>"
        f'<rect x="{left:.2f}" y="{top}" width="{max(0.1, width - 0.5):.2f}"'
        f' height="{_ROW - 1}" fill="{fill}"/>{_label(function, left, top, width)}</g>\n'
    )


def _label(function: Function, left: float, top: int, width: float) -> str:
    space = int((width - 6) / _CHARACTER)
    if space < _SHORTEST_LABEL:
        return ""
    name = function.name
    text = name if len(name) <= space else f"{name[: space - 1]}…"
    inlined = ' class="inlined"' if function.is_inlined else ""
    return f'<text{inlined} x="{left + 3:.2f}" y="{top + 12.5}">{escape(text)}</text>'


def _summary(profile: Profile) -> str:
    parts = [amount(profile.total, "sample")]
    if profile.duration_ns:
        parts.append(f"over {profile.duration_ns / 1e9:.1f} s")
    incomplete = sum(one.count for one in profile.samples if one.stop not in _functions.WHOLE)
    if incomplete:
        parts.append(f"{percent(incomplete, profile.total)} with an incomplete stack")
    return ", ".join(parts)
