"""Processes by what they are called."""

from __future__ import annotations

from collections import defaultdict

from ebprof.changes import Subject, Table
from ebprof.changes.observed import Floats, table_of
from ebprof.collector.query import sql
from ebprof.collector.query.observing._frame import NANOSECONDS, Frame, add

MOST_PROCESSES = 5_000


def observe(frame: Frame) -> dict[str, Table]:
    """`processes.cores`: CPU seconds by service and name of processes."""
    if not frame.has_profiles:
        return {}
    text = sql.load("changes_processes", frame.selection.selector)
    bound = frame.parameters() | {"most": MOST_PROCESSES}
    rows = frame.session.ask(text, bound).to_pylist()
    nodes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        nodes[row["service"], row["process"]].add(row["node"])
    amounts: dict[Subject, Floats] = {}
    least: dict[str, float] = {}
    for row in rows:
        service, name = row["service"], row["process"]
        where = nodes[service, name]
        details = (("node", next(iter(where))),) if len(where) == 1 and "" not in where else ()
        add(amounts, Subject(service, name, details), frame.seconds(row))
        least[service] = min(least.get(service, float("inf")), *row["amounts"])
    quanta = {service: value / NANOSECONDS for service, value in least.items()}
    return {"processes.cores": table_of(amounts, quanta)}
