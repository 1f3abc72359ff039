"""What is stored of a profile's values: pprof's sample types, and our names for them.

A type that is not in the table keeps its own name and unit, as `NAME:UNIT`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ebprof.collector.profiles.batch import Batch
from ebprof.model import Profile, SampleType

MAX_TYPES = 16
MAX_NAME = 64
_MOST_MET = 256


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
    SampleType("off_cpu", _NANOSECONDS): "offcpu",
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


@lru_cache(_MOST_MET)
def kind_of(found: tuple[str, str], series_name: str) -> Kind:
    """What a sample type is stored as; series_name: the label `__name__` of its series."""
    found = SampleType(*found)
    name = _NAMES.get(found, "")
    if found in _WAITS and series_name in _WAITED_FOR:
        name = f"{series_name}_{_WAITS[found]}"
    return Kind(name or f"{found.name}:{found.unit}", found.unit)


def problem(types: Sequence[tuple[str, str]]) -> str:
    """Why sample types cannot be stored; empty where they can."""
    if len(types) > MAX_TYPES:
        return f"it has more than {MAX_TYPES} sample types"
    for one in types:
        for text in one:
            if not text or len(text) > MAX_NAME or ":" in text or not text.isprintable():
                return f"{text[:MAX_NAME]!r} is not the name of a sample type or unit"
    return ""


def counted(batch: Batch) -> NDArray[np.int64]:
    """Those types, as rows, that only count what another one says: samples at a fixed period.

    Where samples amount to time, that is stored and not their number.
    """
    header = batch.pieces["header"]
    may_count = (header["period"] > 0) & (header["default_sample_type"] == 0)
    candidates = np.flatnonzero(may_count & (batch.count("types") == 2))
    first = np.cumsum(batch.count("types")) - batch.count("types")
    types = batch.type_names
    pairs = [
        types[first[one] : first[one] + 2] == _sampled(batch, header[one], types[first[one] + 1])
        for one in candidates.tolist()
    ]
    candidates = candidates[np.array(pairs, bool)]
    return np.asarray(first[candidates[_are_multiples(batch, candidates)]])


def _sampled(batch: Batch, header: np.void, shown: tuple[str, str]) -> list[tuple[str, str]]:
    """The types of a profile of samples at the period of a header."""
    names = header["period_type"]
    texts = batch.text_of_string
    event = batch.text(int(texts[names["type"]])), batch.text(int(texts[names["unit"]]))
    return _at_a_period(*(event if event[0] else shown))


@lru_cache(_MOST_MET)
def _at_a_period(name: str, unit: str) -> list[tuple[str, str]]:
    return [(one.name, one.unit) for one in Profile(event=name, unit=unit, period=1).types]


def _are_multiples(batch: Batch, candidates: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which profiles of two types have in the second one the first one times the period."""
    is_candidate = np.zeros(len(batch.pieces), bool)
    is_candidate[candidates] = True
    profile = batch.profile_of("samples")
    width = batch.count("types")[profile]
    chosen = is_candidate[profile]
    start, profile = (np.cumsum(width) - width)[chosen], profile[chosen]
    amounts = batch.values[start + 1]
    counts, rest = np.divmod(amounts, batch.pieces["header"]["period"][profile])
    is_candidate[profile[(counts != batch.values[start]) | (rest != 0)]] = False
    return np.asarray(is_candidate[candidates])
