"""What stacks begin with: their process, or the container that it is in."""

from __future__ import annotations

from dataclasses import replace

from ebprof.errors import UsageError
from ebprof.model import CONTAINER, Frame, Location, Profile, text_of, with_outermost
from ebprof.output._protocol import OutputFormat
from ebprof.output._text import UNKNOWN_COMM

ROOTS = ("process", "container")
NO_CONTAINER = "[no container]"


def check_root(output: OutputFormat, by: str) -> None:
    """Raise UsageError where a format does not show what stacks begin with (`by`, of ROOTS)."""
    if by != ROOTS[0] and not getattr(output, "SHOWS_ROOTS", False):
        raise UsageError(
            f"--by {by} needs a format of whole stacks",
            "choose -f folded, a flame graph, or `ebprof top --by container`; pprof and JSON have"
            " containers as labels",
        )


def with_root(profile: Profile, by: str) -> Profile:
    """The profile as it is, or with each process as the outermost frame in its container."""
    if by == ROOTS[0]:
        return profile
    samples, tables = profile.samples, profile.samples.tables
    groups = samples.by("comm", "labels")
    found = samples.rows[groups.first]
    comms = [tables.strings[one] or UNKNOWN_COMM for one in found["comm"].tolist()]
    labels = [tables.label_values[one] for one in found["labels"].tolist()]
    containers = [text_of(CONTAINER, one) or NO_CONTAINER for one in labels]
    processes = [Location(0, None, (Frame(one),)) for one in comms]
    return replace(profile, samples=with_outermost(samples, groups, processes, containers))
