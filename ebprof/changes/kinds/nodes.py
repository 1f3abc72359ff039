"""Nodes that came or went: whose agents push, or push no more."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ebprof.changes.change import GONE, NEW, Change, Figure
from ebprof.changes.observed import Observation

LEAST_WINDOWS = 3
"""A node that came has pushed so many; one that went has not pushed the last so many."""


def find(observation: Observation) -> Iterable[Change]:
    """Nodes, by windows that arrived from them: facts, which are not tested against noise."""
    table, spans = observation.tables.get("nodes.windows"), observation.spans
    if table is None or not table.subjects:
        return
    for row, subject in enumerate(table.subjects):
        values = table.values[row]
        before, after = values[spans.before | spans.past], values[spans.after]
        came = not before.any() and (after > 0).sum() >= LEAST_WINDOWS and len(before)
        went = before.any() and len(after) >= LEAST_WINDOWS and not after[-LEAST_WINDOWS:].any()
        if not (came or went):
            continue
        figure = Figure("nodes", float(went), float(came), 1 / len(table.subjects), 0)
        at = np.flatnonzero(after > 0)
        first = at[0] if came else (at[-1] + 1 if len(at) else 0)
        start = spans.starts[spans.after][min(first, len(after) - 1)]
        since = int(start) if first else None
        yield Change("nodes", subject, NEW if came else GONE, (figure,), since)
