"""The flame graph's picture with both profiles in it: red grew, blue shrank."""

from __future__ import annotations

from typing import BinaryIO

from ebprof.comparison import shades, text
from ebprof.comparison.join import Comparison, Pair
from ebprof.comparison.ranking import View
from ebprof.comparison.tree import PairTree, plant
from ebprof.output import svg
from ebprof.output._tree import Node

OPTIONS = ("widths",)
IS_FOR_PEOPLE = True

_SWATCH, _LEGEND_TOP = 46, 10


def write(comparison: Comparison, view: View, file: BinaryIO) -> None:
    """Write the picture, as UTF-8, root at the bottom."""
    planted = plant(comparison, view.widths)

    def count(node: Node) -> Pair:
        return _count(comparison, planted, node)

    def fill(node: Node) -> str:
        direction, step = shades.shade(comparison.points(count(node)))
        return shades.LIGHT[direction][step]

    def note(node: Node) -> str:
        place = f", {node.function.module}" if node.function.module else ""
        return text.sentence(comparison, count(node)) + place

    title = f"{text.title(comparison)} (width: {view.widths})"
    summary = "  ·  ".join(text.runs(comparison))
    svg.write_picture(
        svg.Picture(title, summary, planted.tree, fill, note, _legend(comparison)), file
    )


def _count(comparison: Comparison, planted: PairTree, node: Node) -> Pair:
    return comparison.total if node.number < 0 else planted.total[node.number]


def _legend(comparison: Comparison) -> str:
    """Swatches from the most that shrank to the most that grew, each with the least it is for."""
    steps = list(zip(shades.STEPS, shades.LIGHT["shrank"], shades.LIGHT["grew"], strict=True))
    swatches = [
        *((f"-{least:g}", color) for least, color, _ in reversed(steps)),
        ("same", shades.LIGHT["same"][0]),
        *((f"+{least:g}", color) for least, _, color in steps),
    ]
    left = svg.WIDTH - svg.MARGIN - _SWATCH * len(swatches)
    boxes = "".join(
        f'<rect x="{left + number * _SWATCH}" y="{_LEGEND_TOP}" width="{_SWATCH}" height="16"'
        f' fill="{color}"/><text text-anchor="middle"'
        f' x="{left + (number + 0.5) * _SWATCH}" y="{_LEGEND_TOP + 12}">{words}</text>'
        for number, (words, color) in enumerate(swatches)
    )
    unit = "% of the larger total" if comparison.is_absolute else "percentage points"
    return (
        f'{boxes}<text class="summary" text-anchor="end" x="{left - 8}" y="{_LEGEND_TOP + 12}">'
        f"change, {unit}</text>\n"
    )
