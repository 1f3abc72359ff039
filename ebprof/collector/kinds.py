"""What is stored of a profile's values: pprof's sample types, and our names for them.

A type that is not in the table keeps its own name and unit, as `NAME:UNIT`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebprof.model import Profile, SampleType

MAX_TYPES = 16
MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class Kind:
    """A type as it is stored: name, and unit of its values."""

    name: str
    unit: str


_NANOSECONDS, _BYTES, _COUNT = "nanoseconds", "bytes", "count"
# pprof's type and unit -> our name.
_NAMES = {
    SampleType("cpu", _NANOSECONDS): "cpu",
    SampleType("wall", _NANOSECONDS): "wall",
    SampleType("offcpu", _NANOSECONDS): "offcpu",
    SampleType("off-cpu", _NANOSECONDS): "offcpu",
    SampleType("inuse_space", _BYTES): "heap_inuse",
    SampleType("inuse_objects", _COUNT): "heap_inuse_objects",
    SampleType("alloc_space", _BYTES): "heap_alloc",
    SampleType("alloc_objects", _COUNT): "heap_alloc_objects",
    SampleType("goroutine", _COUNT): "goroutines",
    SampleType("goroutines", _COUNT): "goroutines",
}
# The same types are those of two kinds of profiles, told apart by the label `__name__`.
_WAITS = {
    SampleType("delay", _NANOSECONDS): "delay",
    SampleType("contentions", _COUNT): "contentions",
}
_WAITED_FOR = ("mutex", "block")
_UNITS = {name: kind.unit for kind, name in _NAMES.items()} | {
    f"{lock}_{name}": kind.unit for kind, name in _WAITS.items() for lock in _WAITED_FOR
}


def known() -> dict[str, str]:
    """Units of the types that have names of ours."""
    return dict(_UNITS)


def unit_of(name: str) -> str:
    """The unit of a stored type's values."""
    return _UNITS.get(name) or name.rpartition(":")[2]


def kind_of(found: SampleType, series_name: str) -> Kind:
    """What a sample type is stored as; series_name: the label `__name__` of its series."""
    name = _NAMES.get(found, "")
    if found in _WAITS and series_name in _WAITED_FOR:
        name = f"{series_name}_{_WAITS[found]}"
    return Kind(name or f"{found.name}:{found.unit}", found.unit)


def problem(types: Sequence[SampleType]) -> str:
    """Why sample types cannot be stored; empty where they can."""
    if len(types) > MAX_TYPES:
        return f"it has more than {MAX_TYPES} sample types"
    for one in types:
        for text in one:
            if not text or len(text) > MAX_NAME or ":" in text or not text.isprintable():
                return f"{text[:MAX_NAME]!r} is not the name of a sample type or unit"
    return ""


def stored(profile: Profile, series_name: str) -> Iterator[tuple[Kind, NDArray[np.int64]]]:
    """What is stored of a profile's samples: each as what, and the values, int64[n].

    Where samples amount to time, at a fixed period each, that is stored and not their number.
    """
    kinds = [kind_of(one, series_name) for one in profile.types]
    samples = profile.samples
    if not profile.is_sampled:
        yield from zip(kinds, samples.values.T, strict=True)
    elif profile.period:
        yield kinds[1], samples.counts * profile.period
    else:
        yield kinds[0], samples.counts
