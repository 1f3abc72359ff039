"""Processes that came, went, or use more or less CPU time."""

from __future__ import annotations

from collections.abc import Iterable

from ebprof.changes import judge
from ebprof.changes.change import Change
from ebprof.changes.observed import Observation

LEAST_CORES = 0.01
"""A process that has less does nothing: it is no change, wherever it came from."""


def find(observation: Observation) -> Iterable[Change]:
    """Processes by service and name."""
    for one in judge.changes("processes", observation, ("cores",), "processes"):
        cores = one.figures[0]
        if max(cores.before, cores.after) >= LEAST_CORES:
            yield one
