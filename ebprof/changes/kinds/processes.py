"""Processes that came, went, or use more or less CPU time."""

from __future__ import annotations

from collections.abc import Iterable

from ebprof.changes import judge
from ebprof.changes.change import Change
from ebprof.changes.observed import Observation


def find(observation: Observation) -> Iterable[Change]:
    """Processes by service and name. One that does nothing is no change."""
    return judge.changes("processes", observation, ("cores",), "processes")
