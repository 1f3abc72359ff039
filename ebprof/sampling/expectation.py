"""How many samples CPU time should have brought, and whether as many came."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

DEVIATIONS = 4


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a target's CPU time says about its samples.

    cpu_seconds: as the kernel accounts for it. period_ns: of the clock that is sampled; 0 where the
    event is none. edge_s: by how much CPU time may be off, on all CPUs together.
    """

    cpu_seconds: float
    period_ns: int = 0
    edge_s: float = 0.0

    @property
    def samples(self) -> float | None:
        """As many are expected; None where CPU time does not tell."""
        return 1e9 * self.cpu_seconds / self.period_ns if self.period_ns else None

    def missing(self, taken: int) -> int:
        """Samples that are missing beyond chance, or (negative) too many; 0 if chance explains it.

        Samples are taken independently of what runs: their number varies by its square root.
        """
        expected = self.samples
        if expected is None:
            return 0
        margin = DEVIATIONS * sqrt(expected) + 1 + 1e9 * self.edge_s / self.period_ns
        difference = expected - taken
        return round(difference) if abs(difference) > margin else 0
