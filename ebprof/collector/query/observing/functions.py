"""Functions that ran, and the builds that they are of."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ebprof.changes import Subject, Table
from ebprof.changes.kinds.builds import BUILD, MODULE
from ebprof.changes.observed import Floats, table_of
from ebprof.collector.query import sql
from ebprof.collector.query.observing._frame import NANOSECONDS, Frame, add
from ebprof.model import Mapping
from ebprof.output import _functions

MOST_FUNCTIONS = 5_000
MOST_OF_SERVICE = 500
"""Those that used most CPU time; what their service is has the others too."""


def observe(frame: Frame) -> dict[str, Table]:
    """`functions.cores` and `builds.cores`: CPU seconds of functions themselves, and of builds."""
    if not frame.has_profiles:
        return {}
    session, selector = frame.session, frame.selection.selector
    bound = frame.parameters()
    session.keep("leaves", sql.load("changes_leaves", selector), bound)
    limits = {"most": MOST_FUNCTIONS, "each": MOST_OF_SERVICE}
    rows = session.ask(sql.load("changes_functions"), limits).to_pylist()
    services = session.ask(sql.load("changes_services")).to_pylist()
    wholes = {row["service"]: frame.seconds(row) for row in services}
    quanta = {row["service"]: row["least"] / NANOSECONDS for row in services}
    functions, builds = _summed(frame, rows)
    return {
        "functions.cores": table_of(functions, quanta, wholes),
        "builds.cores": table_of(builds, quanta, wholes),
    }


def _summed(
    frame: Frame, rows: list[dict[str, Any]]
) -> tuple[dict[Subject, Floats], dict[Subject, Floats]]:
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        known[row["service"], row["module"]].add(row["build_id"])
    functions: dict[Subject, Floats] = {}
    builds: dict[Subject, Floats] = {}
    for row in rows:
        service, path = row["service"], row["module"]
        module, amounts = Mapping(path).name, frame.seconds(row)
        name = row["name"]
        if not name or (_functions.is_nameless(name) and len(known[service, path]) > 1):
            name = f"[{module or 'unknown'}]"  # where it begins differs from build to build
        add(functions, Subject(service, name, ((MODULE, module),)), amounts)
        if row["build_id"]:
            subject = Subject(service, module, ((MODULE, module), (BUILD, row["build_id"])))
            add(builds, subject, amounts)
    return functions, builds
