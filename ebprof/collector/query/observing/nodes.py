"""Nodes, by windows that their agents pushed."""

from __future__ import annotations

from collections import defaultdict

from ebprof.changes import Subject, Table
from ebprof.changes.observed import table_of
from ebprof.collector.query import sql
from ebprof.collector.query.observing._frame import Frame

MOST_ROWS = 2_000_000
_LABEL = "node"


def observe(frame: Frame) -> dict[str, Table]:
    """`nodes.windows`, of all nodes: others than services decide where they run."""
    if frame.selection.selector.matchers:
        return {}
    bound = frame.parameters() | {"most": MOST_ROWS}
    rows = frame.session.ask(sql.load("changes_nodes"), bound).to_pylist()
    points: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for row in rows:
        places, values = points[row["node"]]
        places.append(row["point"])
        values.append(row["value"])
    amounts = {Subject("", node): frame.amounts(*found) for node, found in points.items()}
    return {"nodes.windows": table_of(amounts)}
