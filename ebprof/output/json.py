"""One JSON object with all that is known, for programs; docs/formats.md lists its members.

What many samples share is written once: samples name locations, locations name frames and a
mapping by index.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np

from ebprof.model import NONE, Lists, Numbers, Profile, Samples, Tables, first_seen

SUFFIXES = (".json",)
KEEPS_TIMES = True
KEEPS_TYPES = True

VERSION = 1


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the object, ASCII only, on one line."""
    file.write(json.dumps(_document(profile), separators=(",", ":")).encode() + b"\n")


def _document(profile: Profile) -> dict[str, Any]:
    samples, tables = profile.samples, profile.samples.tables
    locations = samples.locations
    of_locations = tables.location_frames.take(locations)
    frames = first_seen(of_locations.items, len(tables.frames))
    named = tables.locations["mapping"][locations]
    mappings = first_seen(named[named != NONE], len(tables.mappings))
    return {
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
        "samples": _samples(samples, _renumbered(locations, len(tables.locations))),
        "locations": _locations(tables, locations, frames, mappings),
        "frames": [asdict(tables.frame_values[one]) for one in frames.tolist()],
        "mappings": [asdict(tables.mapping_values[one]) for one in mappings.tolist()],
    }


def _renumbered(numbers: Numbers, size: int) -> Numbers:
    """int64[size]: the place that each of some numbers has among them."""
    places = np.full(size, NONE)
    places[numbers] = np.arange(len(numbers))
    return places


def _types(profile: Profile) -> dict[str, Any]:
    types = [one._asdict() for one in profile.sample_types]
    return {"sample_types": types, "shown": profile.shown}


def _samples(samples: Samples, numbers: Numbers) -> list[dict[str, Any]]:
    """Samples; numbers: those of their locations in the document."""
    tables, text = samples.tables, samples.tables.strings
    stacks = samples.stacks
    lists = tables.stacks.take(stacks)
    found = Lists(lists.starts, numbers[lists.items]).values()
    locations = dict(zip(stacks.tolist(), found, strict=True))
    columns = samples.rows.tolist(), samples.counts.tolist(), samples.values.tolist()
    return [
        {
            "pid": pid,
            "tid": tid,
            "comm": text[comm],
            "stop": text[stop],
            "count": count,
            **({} if time_ns == NONE else {"time_ns": time_ns}),
            **({"values": values} if values else {}),
            **({"labels": _labels(tables, labels)} if labels else {}),
            "locations": locations[stack],
        }
        for (pid, tid, time_ns, stack, comm, stop, labels), count, values in zip(
            *columns, strict=True
        )
    ]


def _labels(tables: Tables, number: int) -> list[dict[str, Any]]:
    return [
        {"key": key, **({"text": text} if text else {"number": value, "unit": unit})}
        for key, text, value, unit in tables.label_values[number]
    ]


def _locations(
    tables: Tables, locations: Numbers, frames: Numbers, mappings: Numbers
) -> list[dict[str, Any]]:
    """Locations that name frames and mappings by their places among those."""
    frame_at = _renumbered(frames, len(tables.frames))
    mapping_at = _renumbered(mappings, len(tables.mappings))
    inner = tables.location_frames.take(locations)
    rows = tables.locations[locations].tolist()
    return [
        {
            "address": address,
            "mapping": None if mapping == NONE else int(mapping_at[mapping]),
            "frames": found,
        }
        for (address, mapping), found in zip(
            rows, Lists(inner.starts, frame_at[inner.items]).values(), strict=True
        )
    ]
