"""What a backend is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ebprof.bpf.traffic import TrafficPrograms, TrafficSession


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to see sends and receives.

    rank: lower is better. remedy: how to get it where it does not work. check: raises
    UnsupportedError where the kernel lacks what it hooks; it says why better than the refusal of
    the whole object does.
    """

    name: str
    help: str
    remedy: str
    rank: int
    programs: TrafficPrograms
    check: Callable[[], None]

    def open(self) -> TrafficSession:
        """Load it. Raises UnsupportedError or NoPermissionError."""
        self.check()
        return TrafficSession(self.programs)
