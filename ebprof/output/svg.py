"""A static flame graph as SVG, for reports and slides; names and counts are tooltips.

Frames narrower than MIN_WIDTH are left out: their samples stay part of the frames below them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO
from xml.sax.saxutils import escape

from ebprof.model import Profile
from ebprof.output import _functions, _tree
from ebprof.output._functions import Function
from ebprof.output._heading import title
from ebprof.output._measure import quantity
from ebprof.output._text import percent
from ebprof.output._tree import Node, Tree

SUFFIXES = (".svg",)
SHOWS_ROOTS = True
IS_FOR_PEOPLE = True

WIDTH = 1200
MIN_WIDTH = 0.3
MARGIN = 12

_ROW = 18
_HEADER = 54
_CHARACTER = 6.7  # of 11px monospace: a bit more than the widest of usual fonts
_SHORTEST_LABEL = 3
_TITLE_LENGTH = 120  # of 16px letters across WIDTH

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


@dataclass(frozen=True, slots=True)
class Picture:
    """A call tree and how to show it.

    fill: the colour of a node, as CSS has it; note: what its tooltip says after its name.
    legend: SVG elements for the picture's top right corner, already escaped.
    """

    title: str
    summary: str
    tree: Tree
    fill: Callable[[Node], str]
    note: Callable[[Node], str]
    legend: str = ""


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the picture, as UTF-8, root at the bottom."""
    tree = _tree.build(profile)
    note = partial(_note, profile, tree.total)
    write_picture(Picture(_fitted(title(profile)), _summary(profile), tree, _fill, note), file)


def write_picture(picture: Picture, file: BinaryIO) -> None:
    """Write any call tree as SVG, as UTF-8, root at the bottom."""
    tree = picture.tree
    nodes = list(_tree.walk(tree, MIN_WIDTH / _scale(tree)))
    height = _HEADER + (max((node.depth for node in nodes), default=-1) + 2) * _ROW + MARGIN
    nodes.append(Node(Function("all", kind=_functions.PROCESS), -1, 0, tree.total, -1))
    file.write("".join(_document(picture, nodes, height)).encode())


def _document(picture: Picture, nodes: list[Node], height: int) -> Iterator[str]:
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}">\n<style>{_STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fbfaf8"/>\n'
        f'<text class="title" x="{MARGIN}" y="24">{escape(picture.title)}</text>\n'
        f'<text class="summary" x="{MARGIN}" y="42">{escape(picture.summary)}</text>\n'
        f"{picture.legend}"
    )
    for node in nodes:
        yield _box(picture, node, height - MARGIN - (node.depth + 2) * _ROW)
    yield "</svg>\n"


def _fitted(text: str) -> str:
    return text if len(text) <= _TITLE_LENGTH else f"{text[: _TITLE_LENGTH - 1]}…"


def _scale(tree: Tree) -> float:
    """Pixels a sample."""
    return (WIDTH - 2 * MARGIN) / max(1, tree.total)


def _box(picture: Picture, node: Node, top: int) -> str:
    left = MARGIN + node.start * _scale(picture.tree)
    width = node.count * _scale(picture.tree)
    return (
        f"<g><title>{escape(node.function.name)} ({escape(picture.note(node))})</title>"
        f'<rect x="{left:.2f}" y="{top}" width="{max(0.1, width - 0.5):.2f}"'
        f' height="{_ROW - 1}" fill="{picture.fill(node)}"/>'
        f"{_label(node.function, left, top, width)}</g>\n"
    )


def _fill(node: Node) -> str:
    fills = _FILLS[node.function.kind]
    return fills[zlib.crc32(node.function.name.encode()) % len(fills)]


def _note(profile: Profile, total: int, node: Node) -> str:
    place = f", {node.function.module}" if node.function.module else ""
    return f"{quantity(profile, node.count)}, {percent(node.count, total)}{place}"


def _label(function: Function, left: float, top: int, width: float) -> str:
    space = int((width - 6) / _CHARACTER)
    if space < _SHORTEST_LABEL:
        return ""
    name = function.name
    text = name if len(name) <= space else f"{name[: space - 1]}…"
    inlined = ' class="inlined"' if function.is_inlined else ""
    return f'<text{inlined} x="{left + 3:.2f}" y="{top + 12.5}">{escape(text)}</text>'


def _summary(profile: Profile) -> str:
    parts = [quantity(profile, profile.total)]
    if profile.duration_ns:
        parts.append(f"over {profile.duration_ns / 1e9:.1f} s")
    incomplete = _functions.incomplete(profile.samples)
    if incomplete:
        parts.append(f"{percent(incomplete, profile.total)} with an incomplete stack")
    return ", ".join(parts)
