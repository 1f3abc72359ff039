"""Bytes that services of this node moved, for its metrics."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ebprof.agent.series import OTHER
from ebprof.wire.flows import FlowWindow

MOST_SERVICES = 200
"""Services that are told apart; those beyond are one, OTHER."""
UNKNOWN = "~unknown"
"""What moved without a process that is known."""
WAYS = ("tx", "rx")


class Moved:
    """Sums by service and way, which never fall: what a window takes back is taken off the next."""

    def __init__(self) -> None:
        self._sums: Counter[tuple[str, ...]] = Counter()
        self._owed: Counter[tuple[str, ...]] = Counter()
        self._services: set[str] = set()

    def add(self, window: FlowWindow) -> None:
        """Add the flows of a window."""
        found: Counter[tuple[str, ...]] = Counter()
        for way in WAYS:
            sums = np.zeros(len(window.processes), np.int64)
            np.add.at(sums, window.flows["process"], window.flows[f"{way}_bytes"])
            for row in np.flatnonzero(sums).tolist():
                name = window.strings[window.processes["service"][row]]
                found[self._known(name or UNKNOWN), way] += int(sums[row])
        for key, amount in found.items():
            left = amount - self._owed.pop(key, 0)
            if left < 0:
                self._owed[key] = -left
            else:
                self._sums[key] += left

    def sums(self) -> dict[tuple[str, ...], float]:
        """Bytes by service and way."""
        return dict(self._sums)

    def _known(self, service: str) -> str:
        if service not in self._services:
            if len(self._services) >= MOST_SERVICES:
                return OTHER
            self._services.add(service)
        return service
