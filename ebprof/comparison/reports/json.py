"""One JSON object with all changes, for programs; docs/diff.md lists its members."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, BinaryIO

from ebprof.comparison.join import Comparison, FunctionChange, Pair, Run
from ebprof.comparison.ranking import View, rank

OPTIONS = ("sort", "rows")

VERSION = 1


def write(comparison: Comparison, view: View, file: BinaryIO) -> None:
    """Write the object, ASCII only, on one line."""
    changes = rank(comparison, view.sort)
    document = {
        "format": "ebprof diff",
        "version": VERSION,
        "event": comparison.event,
        "unit": comparison.unit,
        "is_absolute": comparison.is_absolute,
        "is_in_cores": comparison.is_in_cores,
        "a": _run(comparison.before),
        "b": _run(comparison.after),
        "changed": len(changes),
        "functions": [_function(comparison, one) for one in changes[: view.rows]],
        "builds": [_function(comparison, one) for one in comparison.builds()],
    }
    file.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")


def _run(run: Run) -> dict[str, Any]:
    return {**asdict(run), "cores": run.cores}


def _function(comparison: Comparison, change: FunctionChange) -> dict[str, Any]:
    return {
        "function": change.function.name,
        "module": change.function.module,
        "kind": change.function.kind,
        "self": _count(comparison, change.own),
        "total": _count(comparison, change.total),
    }


def _count(comparison: Comparison, count: Pair) -> dict[str, Any]:
    return {
        "a": count.before,
        "b": count.after,
        "points": comparison.points(count),
        "is_chance": comparison.is_chance(count),
    }
