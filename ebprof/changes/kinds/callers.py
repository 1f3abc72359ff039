"""Who calls the services: bytes both ways, connections, failures."""

from __future__ import annotations

from collections.abc import Iterable

from ebprof.changes import judge
from ebprof.changes.change import Change
from ebprof.changes.observed import TRAFFIC, Observation


def find(observation: Observation) -> Iterable[Change]:
    """Callers of which more or less comes; failures: connections that they could not make."""
    return judge.changes("callers", observation, TRAFFIC, "callers")
