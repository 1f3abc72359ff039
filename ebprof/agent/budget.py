"""What an agent may cost: beyond it, it looks less closely, and says so."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

SPAN_S = 60.0
"""CPU time is that of the last minute."""
EASE_S = 300.0
"""After so long with room to spare, it samples more often again."""
MOST_HOOK_S = 86400.0
"""What calls cost is seen only while they are counted. So that is tried again: after ten minutes
with room to spare, then after twice as long each time, and at last once a day.
"""
_SPARE = 0.4
"""Twice the samples cost twice the time at most: what is below leaves room for that."""


@dataclass(frozen=True, slots=True)
class Budget:
    """cpu: share of one core, BPF programs included; memory: bytes."""

    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Spent:
    """cpu_seconds: since the start, BPF programs included; traffic_seconds: of these, in programs
    that count traffic, of which those at calls take nearly all; memory: bytes now.
    """

    cpu_seconds: float
    traffic_seconds: float
    memory: int


class Governor:
    """Chooses how closely to look, from what the agent spends.

    Beyond the budget, calls are counted no more if traffic takes most of the time, and otherwise
    samples are half as many, one step a minute; calls come last if traffic takes less. With room to
    spare it goes the other way.

    frequency: what is wanted, and the most there is. may_unhook: whether calls are counted, and
    need not be. shed: is told `cpu`, `memory` or `calls`, each time.
    """

    def __init__(
        self,
        budget: Budget,
        frequency: int,
        shed: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        may_unhook: bool = False,
    ) -> None:
        self._budget = budget
        self._wanted = frequency
        self._shed = shed
        self._clock = clock
        self._may_unhook = may_unhook
        self._seen: deque[tuple[float, Spent]] = deque()
        self._spare_since: float | None = None
        self._hook_s = EASE_S
        self.frequency = frequency
        self.counts_calls = may_unhook
        """Whether calls are to be counted; false also where that is not to be chosen."""

    def want(self, frequency: int) -> None:
        """Another frequency is wanted from now on."""
        if frequency != self._wanted:
            self._wanted = self.frequency = frequency
            self._begin_anew()

    def look(self, spent: Spent) -> bool:
        """Take in what was spent; whether there is another frequency, or counts_calls, now."""
        now = self._clock()
        self._seen.append((now, spent))
        while len(self._seen) > 2 and self._seen[1][0] <= now - SPAN_S:
            self._seen.popleft()
        start, before = self._seen[0]
        if now < start + SPAN_S:
            return False
        cpu = (spent.cpu_seconds - before.cpu_seconds) / (now - start)
        traffic = (spent.traffic_seconds - before.traffic_seconds) / (now - start)
        is_worth_it = traffic > cpu / 2 or self.frequency == 1
        if cpu > self._budget.cpu and self.counts_calls and is_worth_it:
            return self._unhook()
        if cpu > self._budget.cpu or spent.memory > self._budget.memory:
            return self._lower("cpu" if cpu > self._budget.cpu else "memory")
        is_spare = cpu < _SPARE * self._budget.cpu and spent.memory < self._budget.memory
        return self._raise(now, is_spare)

    def _unhook(self) -> bool:
        self.counts_calls = False
        self._hook_s = min(2 * self._hook_s, MOST_HOOK_S)
        return self._lessen("calls")

    def _lower(self, reason: str) -> bool:
        self._spare_since = None
        if self.frequency == 1:
            return False
        self.frequency = max(1, self.frequency // 2)
        return self._lessen(reason)

    def _lessen(self, reason: str) -> bool:
        self._shed(reason)
        self._begin_anew()
        return True

    def _raise(self, now: float, is_spare: bool) -> bool:
        is_slowed = self.frequency < self._wanted
        is_unhooked = self._may_unhook and not self.counts_calls
        if not is_spare or not (is_slowed or is_unhooked):
            self._spare_since = None
            return False
        if self._spare_since is None:
            self._spare_since = now
        if now < self._spare_since + (EASE_S if is_slowed else self._hook_s):
            return False
        if is_slowed:
            self.frequency = min(self._wanted, 2 * self.frequency)
        else:
            self.counts_calls = True
        self._begin_anew()
        return True

    def _begin_anew(self) -> None:
        self._seen.clear()
        self._spare_since = None
