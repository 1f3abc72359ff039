"""Whom the services call: bytes both ways, connections, failures."""

from __future__ import annotations

from collections.abc import Iterable

from ebprof.changes import judge
from ebprof.changes.change import Change
from ebprof.changes.observed import TRAFFIC, Observation


def find(observation: Observation) -> Iterable[Change]:
    """Callees to which more or less goes; failures: connections to them that failed."""
    return judge.changes("callees", observation, TRAFFIC, "callees")
