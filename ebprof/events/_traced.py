"""What events have in common that perf does not schedule: the program is run at each."""

from __future__ import annotations

from collections.abc import Mapping

from ebprof.bpf.events import Rate
from ebprof.errors import UsageError


class TracedEvent:
    """An event that runs its program wherever it is met; a base class of kinds of events.

    name: as outputs show it.
    """

    is_scheduled = False
    is_clock = False

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def constants(self) -> Mapping[str, int]:
        """None of its own."""
        return {}

    def is_counted_by_task(self, rate: Rate) -> bool:
        """No: no perf event is opened on a thread."""
        return False

    def rate(self, frequency: int | None, period: int | None) -> Rate:
        """Each one, or each of a period."""
        if frequency is not None:
            raise UsageError(
                f"{self.name} has no frequency: each one is sampled",
                "use -c N to sample each N-th, or leave -F out",
            )
        return Rate(period=period or 1)

    def weight(self, rate: Rate) -> tuple[str, int]:
        """The events that a sample stands for."""
        return "count", rate.period
