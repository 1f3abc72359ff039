"""The flame graph's page with both profiles in it: red grew, blue shrank."""

from __future__ import annotations

from typing import Any, BinaryIO

from ebprof.comparison import shades, text
from ebprof.comparison.join import Comparison, Pair
from ebprof.comparison.ranking import View
from ebprof.comparison.tree import PairTree, plant
from ebprof.output import flamegraph

OPTIONS = ("widths",)


def write(comparison: Comparison, view: View, file: BinaryIO) -> None:
    """Write the page, as UTF-8."""
    planted = plant(comparison, view.widths)
    title = f"{text.title(comparison)}, differential flame graph"
    data = {
        "title": title,
        "comments": [],
        "stops": [],
        **flamegraph.tree_columns(planted.tree),
        "diff": _diff(comparison, view, planted),
    }
    flamegraph.write_page(title, data, file)


def _diff(comparison: Comparison, view: View, planted: PairTree) -> dict[str, Any]:
    """What page.js has to know of both: columns are by node, the root first."""
    return {
        "runs": text.runs(comparison),
        "widths": view.widths,
        "is_absolute": comparison.is_absolute,
        **({"measure": comparison.measure._asdict()} if comparison.measure else {}),
        "unit": comparison.unit if comparison.is_absolute and comparison.has_values else "samples",
        "whole": comparison.whole,
        "total": _columns(comparison, [comparison.total, *planted.total]),
        "self": _columns(comparison, [Pair(), *planted.own]),
        "steps": shades.STEPS,
        "shades": {"light": shades.LIGHT, "dark": shades.DARK},
    }


def _columns(comparison: Comparison, counts: list[Pair]) -> dict[str, list[int]]:
    amounts = list(map(comparison.amount, counts)) if comparison.is_absolute else counts
    return {"a": [one.before for one in amounts], "b": [one.after for one in amounts]}
