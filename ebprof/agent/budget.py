"""What an agent may cost: beyond it, it samples less often, and says so."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SPAN_S = 60.0
"""CPU time is that of the last minute."""
EASE_S = 300.0
"""After so long with room to spare, it samples more often again."""
_SPARE = 0.4
"""Twice the samples cost twice the time at most: what is below leaves room for that."""


@dataclass(frozen=True, slots=True)
class Budget:
    """cpu: share of one core, BPF programs included; memory: bytes."""

    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Spent:
    """cpu_seconds: since the start, BPF programs included; memory: bytes now."""

    cpu_seconds: float
    memory: int


class Governor:
    """Chooses how often to sample, from what the agent spends.

    frequency: what is wanted, and the most there is. shed: is told `cpu` or `memory` each time that
    the frequency is halved for it.
    """

    def __init__(
        self,
        budget: Budget,
        frequency: int,
        shed: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget
        self._wanted = frequency
        self._shed = shed
        self._clock = clock
        self._seen: deque[tuple[float, float]] = deque()
        self._spare_since: float | None = None
        self.frequency = frequency

    def want(self, frequency: int) -> None:
        """Another frequency is wanted from now on."""
        if frequency != self._wanted:
            self._wanted = self.frequency = frequency
            self._begin_anew()

    def look(self, spent: Spent) -> bool:
        """Take in what was spent; whether the frequency is another now."""
        now = self._clock()
        self._seen.append((now, spent.cpu_seconds))
        while len(self._seen) > 2 and self._seen[1][0] <= now - SPAN_S:
            self._seen.popleft()
        start, before = self._seen[0]
        if now < start + SPAN_S:
            return False
        cpu = (spent.cpu_seconds - before) / (now - start)
        if cpu > self._budget.cpu or spent.memory > self._budget.memory:
            return self._lower("cpu" if cpu > self._budget.cpu else "memory")
        is_spare = cpu < _SPARE * self._budget.cpu and spent.memory < self._budget.memory
        return self._raise(now, is_spare)

    def _lower(self, reason: str) -> bool:
        self._spare_since = None
        if self.frequency == 1:
            return False
        self.frequency = max(1, self.frequency // 2)
        self._shed(reason)
        self._begin_anew()
        return True

    def _raise(self, now: float, is_spare: bool) -> bool:
        if not is_spare or self.frequency == self._wanted:
            self._spare_since = None
            return False
        if self._spare_since is None:
            self._spare_since = now
        if now < self._spare_since + EASE_S:
            return False
        self.frequency = min(self._wanted, 2 * self.frequency)
        self._begin_anew()
        return True

    def _begin_anew(self) -> None:
        self._seen.clear()
        self._spare_since = None
