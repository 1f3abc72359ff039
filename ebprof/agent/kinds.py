"""What an agent pushes: profiles, and flows."""

from __future__ import annotations

from dataclasses import dataclass

from ebprof.wire import flows, push


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of pushes. suffix: of its files in the spool; path: of the collector that takes them.

    kept, dropped: metrics of what is in them: CPU samples, or flows. refused: statuses of HTTP that
    say that the push is at fault.
    """

    suffix: str
    path: str
    kept: str
    dropped: str
    refused: frozenset[int] = frozenset({400, 413, 415, 422})


PROFILES = Kind("push", push.PATH, "window_samples_total", "dropped_samples_total")
FLOWS = Kind(
    "flows",
    flows.PATH,
    "window_flows_total",
    "dropped_flows_total",
    # Other collectors do not know them, and profiles must not wait until they do.
    PROFILES.refused | {404, 405, 501},
)
KINDS = {kind.suffix: kind for kind in (PROFILES, FLOWS)}
