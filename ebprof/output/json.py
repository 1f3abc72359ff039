"""One JSON object with all that is known, for programs; docs/formats.md lists its members.

What many samples share is written once: samples name locations, locations name frames and a
mapping by index.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable
from dataclasses import asdict
from typing import Any, BinaryIO, TypeVar

from ebprof.model import Frame, Location, Mapping, Profile, Sample
from ebprof.output._functions import distinct_locations

SUFFIXES = (".json",)
KEEPS_TIMES = True
KEEPS_TYPES = True

VERSION = 1

_Value = TypeVar("_Value", bound=Hashable)


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the object, ASCII only, on one line."""
    locations = distinct_locations(profile)
    frames = _number(frame for location in locations for frame in location.frames)
    mappings = _number(one.mapping for one in locations if one.mapping is not None)
    numbers = {id(location): number for number, location in enumerate(locations)}
    document = {
        "format": "ebprof profile",
        "version": VERSION,
        "event": profile.event,
        "unit": profile.unit,
        "period": profile.period,
        "time_ns": profile.time_ns,
        "duration_ns": profile.duration_ns,
        **({"slice_ns": profile.slice_ns} if profile.slice_ns else {}),
        **({} if profile.is_sampled else _types(profile)),
        "comments": profile.comments,
        "total": profile.total,
        "samples": [_sample(sample, numbers) for sample in profile.samples],
        "locations": [_location(location, frames, mappings) for location in locations],
        "frames": [asdict(frame) for frame in frames],
        "mappings": [asdict(mapping) for mapping in mappings],
    }
    file.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")


def _number(values: Iterable[_Value]) -> dict[_Value, int]:
    """Index of each distinct value, in order of first sight."""
    return {value: number for number, value in enumerate(dict.fromkeys(values))}


def _types(profile: Profile) -> dict[str, Any]:
    types = [one._asdict() for one in profile.sample_types]
    return {"sample_types": types, "shown": profile.shown}


def _sample(sample: Sample, numbers: dict[int, int]) -> dict[str, Any]:
    return {
        "pid": sample.pid,
        "tid": sample.tid,
        "comm": sample.comm,
        "stop": sample.stop,
        "count": sample.count,
        **({} if sample.time_ns is None else {"time_ns": sample.time_ns}),
        **({"values": sample.values} if sample.values else {}),
        "locations": [numbers[id(location)] for location in sample.locations],
    }


def _location(
    location: Location, frames: dict[Frame, int], mappings: dict[Mapping, int]
) -> dict[str, Any]:
    return {
        "address": location.address,
        "mapping": None if location.mapping is None else mappings[location.mapping],
        "frames": [frames[frame] for frame in location.frames],
    }
