"""What an agent pushes: profiles, as one of two kinds of messages, and flows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ebprof.wire import flows, otlp, push

REFUSED = frozenset({400, 413, 415, 422})
"""Statuses of HTTP that say that what was sent is at fault."""
NO_SERVICE = frozenset({404, 405, 501})
"""Those of a collector that does not know what it is asked."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of pushes. suffix: of its files in the spool; path: of the collector that takes them.

    kept, dropped: metrics of what is in them: CPU samples, or flows. refused: statuses that say
    that it is of no use to push it again. problem: what the answer to an accepted push says of
    parts that were left out, empty where it says nothing.
    """

    suffix: str
    path: str
    kept: str
    dropped: str
    refused: frozenset[int] = REFUSED
    media_type: str = push.MEDIA_TYPE
    problem: Callable[[bytes], str] = lambda body: ""


def _left_out(body: bytes) -> str:
    """What a partial success says."""
    try:
        found = otlp.ExportResponse.FromString(body).partial_success
    except DecodeError:
        return "it is no answer of OTLP"
    count = found.rejected_profiles
    return f"{count:,} profiles were left out: {found.error_message[:200]}" if count else ""


PROFILES = Kind("push", push.PATH, "window_samples_total", "dropped_samples_total")
FLOWS = Kind(
    "flows",
    flows.PATH,
    "window_flows_total",
    "dropped_flows_total",
    # Other collectors do not know them, and profiles must not wait until they do.
    REFUSED | NO_SERVICE,
)
EXPORTS = Kind(
    "otlp",
    otlp.PATH,
    PROFILES.kept,
    PROFILES.dropped,
    media_type=otlp.MEDIA_TYPE,
    problem=_left_out,
)
KINDS = {kind.suffix: kind for kind in (PROFILES, FLOWS, EXPORTS)}
