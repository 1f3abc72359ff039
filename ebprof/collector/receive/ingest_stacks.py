"""Stacks as text in `/ingest`: `a;b;c 12` a line (`groups`), or `a;b;c` a sample (`lines`)."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ebprof.collector.limits import Limits
from ebprof.collector.receive.refusals import RefusedError, TooLargeError
from ebprof.model import Frame, Location, Profile, SampleType
from ebprof.model.builder import Builder
from ebprof.output import pprof

if TYPE_CHECKING:
    from ebprof.collector.receive.ingest import Ingest

GROUPS, LINES = "groups", "lines"
_MOST = 1 << 56
_NANOSECONDS, _COUNT, _BYTES = "nanoseconds", "count", "bytes"


@dataclass(frozen=True, slots=True)
class Kind:
    """What stacks count. name: of the series. is_timed: each stands for a period, and is time."""

    name: str
    type: SampleType
    is_timed: bool = False


SUFFIXES = {
    "cpu": Kind("process_cpu", SampleType("cpu", _NANOSECONDS), True),
    "itimer": Kind("process_cpu", SampleType("cpu", _NANOSECONDS), True),
    "wall": Kind("wall", SampleType("wall", _NANOSECONDS), True),
    "inuse_objects": Kind("memory", SampleType("inuse_objects", _COUNT)),
    "inuse_space": Kind("memory", SampleType("inuse_space", _BYTES)),
    "alloc_objects": Kind("memory", SampleType("alloc_objects", _COUNT)),
    "alloc_space": Kind("memory", SampleType("alloc_space", _BYTES)),
    "goroutines": Kind("goroutine", SampleType("goroutines", _COUNT)),
    "mutex_count": Kind("mutex", SampleType("contentions", _COUNT)),
    "mutex_duration": Kind("mutex", SampleType("delay", _NANOSECONDS)),
    "block_count": Kind("block", SampleType("contentions", _COUNT)),
    "block_duration": Kind("block", SampleType("delay", _NANOSECONDS)),
    "lock_count": Kind("block", SampleType("contentions", _COUNT)),
    "lock_duration": Kind("block", SampleType("delay", _NANOSECONDS)),
    "exceptions": Kind("exceptions", SampleType("exceptions", _COUNT)),
}
"""What follows the last dot of an application's name, which is no part of the service's then."""
_UNITS = {
    "objects": SampleType("objects", _COUNT),
    "goroutines": SampleType("goroutines", _COUNT),
    "bytes": SampleType("space", _BYTES),
    "lock_samples": SampleType("contentions", _COUNT),
    "lock_nanoseconds": SampleType("delay", _NANOSECONDS),
}
"""By `units`, for applications whose names do not say."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a body is. name: of the series, empty for most; pprof: a profile, packed or not."""

    name: str
    service: str
    pprof: bytes


def read(body: bytes, form: str, given: Ingest, limits: Limits) -> Found:
    """Stacks of an unpacked body; raises RefusedError."""
    service, kind = kind_of(given.application, given.units)
    period = 10**9 // given.sample_rate if kind.is_timed else 1
    builder = Builder(1)
    for stack, count in _counted(body, form, limits).items():
        frames = [name for name in reversed(stack.split(";")) if name]
        if len(frames) > limits.depth:
            raise RefusedError(f"a stack has more than {limits.depth} frames")
        places = [builder.location(Location(0, None, (Frame(name),))) for name in frames]
        value = count * period
        builder.add(builder.stack(places), value, values=(value,))
    profile = Profile(
        builder.take(),
        *kind.type,
        period=period if kind.is_timed else 0,
        time_ns=given.start_ns,
        sample_types=(kind.type,),
    )
    file = io.BytesIO()
    pprof.write(profile, file)
    return Found(kind.name, service, file.getvalue())


def kind_of(application: str, units: str) -> tuple[str, Kind]:
    """The service, and what its stacks count: `shop.alloc_space` are bytes of `shop`.

    An application of one word counts CPU time. What says nothing that is known counts samples.
    """
    service, _, suffix = application.rpartition(".")
    if service and suffix in SUFFIXES:
        return service, SUFFIXES[suffix]
    if units in _UNITS:
        return application, Kind("", _UNITS[units])
    if not service:
        return application, SUFFIXES["cpu"]
    return application, Kind("", SampleType("samples", _COUNT))


def _counted(body: bytes, form: str, limits: Limits) -> Counter[str]:
    """Stacks with their counts; raises RefusedError for a line that is none."""
    if len(body) > limits.packed_bytes or body.count(b"\n") > limits.stacks:
        raise TooLargeError(f"more than {limits.stacks:,} lines of stacks, or too many bytes")
    found: Counter[str] = Counter()
    for number, line in enumerate(body.decode("utf-8", "replace").split("\n"), 1):
        text = line.strip()
        if text and form == LINES:
            found[text] += 1
        elif text:
            stack, _, count = text.rpartition(" ")
            is_count = count.isascii() and count.isdigit() and len(count) < 18
            if not (is_count and stack.strip()):
                raise RefusedError(f"line {number} is no stack with a count behind it")
            found[stack.strip()] += int(count)
    if not found or sum(found.values()) > _MOST:
        raise RefusedError("there is no stack in it, or counts are too large")
    return found
