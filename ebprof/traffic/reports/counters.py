"""Counters as people need them: what was lost, and what else is worth a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ebprof.traffic.monitor import COUNTERS


def lost(counters: Mapping[str, int]) -> int:
    """What happened and is missing from the totals."""
    return sum(counters[counter.name] for counter in COUNTERS if counter.is_loss)


def explained(counters: Mapping[str, int]) -> Iterator[str]:
    """A line for each counter that is not zero."""
    for counter in COUNTERS:
        if counters[counter.name]:
            yield f"  {counter.name} {counters[counter.name]:,}: {counter.help}"
