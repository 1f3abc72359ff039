"""New builds: deployments, by the build IDs of modules that run."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ebprof.changes import judge, noise
from ebprof.changes.change import NEW, Change, Figure
from ebprof.changes.observed import Observation, Subject

BUILD, MODULE = "build", "module"


def find(observation: Observation) -> Iterable[Change]:
    """Builds that no window of the past has, of modules that had another one."""
    table, spans = observation.tables.get("builds.cores"), observation.spans
    if table is None or not table.subjects:
        return
    found = noise.verdicts(table.values, table.quanta, spans.seconds, spans)
    past = table.values[:, spans.past | spans.before].sum(axis=1)
    sure = judge.is_sure(found, len(table.subjects))
    modules = [module_of(one) for one in table.subjects]
    known = {module for module, seen in zip(modules, past.tolist(), strict=True) if seen}
    sums = _by_module(modules, found.after - found.before)
    every = max(float(found.before.sum()), float(found.after.sum()), 1e-9)
    for row in np.flatnonzero((past == 0) & (found.after > 0) & sure).tolist():
        if modules[row] not in known:
            continue
        yield Change(
            "builds",
            table.subjects[row],
            NEW,
            (
                Figure(
                    "cores",
                    float(found.before[row]),
                    float(found.after[row]),
                    abs(sums[modules[row]]) / every,
                    float(found.chance[row]),
                ),
            ),
            judge.since_ms(table.values[row], spans.seconds, spans),
        )


def module_of(subject: Subject) -> tuple[str, str]:
    """The service and the module of a build or a function."""
    return subject.service, dict(subject.details).get(MODULE, "")


def _by_module(modules: list[tuple[str, str]], values: np.ndarray) -> dict[tuple[str, str], float]:
    sums: dict[tuple[str, str], float] = {}
    for module, value in zip(modules, values.tolist(), strict=True):
        sums[module] = sums.get(module, 0.0) + value
    return sums
