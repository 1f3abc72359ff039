"""What stacks begin with: their process, or the container that it is in."""

from __future__ import annotations

from dataclasses import replace

from ebprof.errors import UsageError
from ebprof.model import CONTAINER, Frame, Location, Profile, Sample, samples_of, text_of
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
    return replace(profile, samples=samples_of([*map(_in_container, profile.samples)]))


def _in_container(sample: Sample) -> Sample:
    process = Location(0, None, (Frame(sample.comm or UNKNOWN_COMM),))
    container = text_of(CONTAINER, sample.labels) or NO_CONTAINER
    return replace(sample, comm=container, locations=(*sample.locations, process))
