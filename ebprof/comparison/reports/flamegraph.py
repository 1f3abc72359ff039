"""The flame graph's page with both profiles in it: red grew, blue shrank."""

from __future__ import annotations

from typing import Any, BinaryIO

from ebprof.comparison import shades, text
from ebprof.comparison.join import Comparison
from ebprof.comparison.ranking import View
from ebprof.comparison.tree import whole
from ebprof.output import flamegraph

OPTIONS = ("widths",)
IS_FOR_PEOPLE = True


def write(comparison: Comparison, view: View, file: BinaryIO) -> None:
    """Write the page, as UTF-8."""
    title = f"{text.title(comparison)}, differential flame graph"
    data = {
        "title": title,
        "comments": text.notes(comparison),
        "stops": [],
        **flamegraph.tree_columns(whole(comparison)),
        "diff": _diff(comparison, view),
    }
    flamegraph.write_page(title, data, file)


def _diff(comparison: Comparison, view: View) -> dict[str, Any]:
    """What file.js has to know of both: a, b are what ends at each branch."""
    counts = [one.count for one in comparison.stacks]
    ends = list(map(comparison.amount, counts)) if comparison.is_absolute else counts
    return {
        "runs": text.runs(comparison),
        "widths": view.widths,
        "is_absolute": comparison.is_absolute,
        **({"measure": comparison.shown._asdict()} if comparison.shown else {}),
        "unit": comparison.unit if comparison.is_absolute and comparison.has_values else "samples",
        "whole": comparison.whole,
        "a": [one.before for one in ends],
        "b": [one.after for one in ends],
        "steps": shades.STEPS,
        "shades": {"light": shades.LIGHT, "dark": shades.DARK},
    }
