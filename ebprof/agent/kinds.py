"""What an agent pushes: profiles, and flows."""

from __future__ import annotations

from dataclasses import dataclass

from ebprof.wire import flows, push

REFUSED = frozenset({400, 413, 415, 422})
"""Statuses of HTTP that say that what was sent is at fault."""
NO_SERVICE = frozenset({404, 405, 501})
"""Those of a collector that does not know what it is asked."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of pushes. suffix: of its files in the spool; path: of the collector that takes them.

    kept, dropped: metrics of what is in them: CPU samples, or flows. refused: statuses that say
    that it is of no use to push it again.
    """

    suffix: str
    path: str
    kept: str
    dropped: str
    refused: frozenset[int] = REFUSED


PROFILES = Kind("push", push.PATH, "window_samples_total", "dropped_samples_total")
FLOWS = Kind(
    "flows",
    flows.PATH,
    "window_flows_total",
    "dropped_flows_total",
    # Other collectors do not know them, and profiles must not wait until they do.
    REFUSED | NO_SERVICE,
)
KINDS = {kind.suffix: kind for kind in (PROFILES, FLOWS)}
