"""What Pyroscope calls our types: `NAME:SAMPLE_TYPE:SAMPLE_UNIT:PERIOD_TYPE:PERIOD_UNIT`.

Source: the profile types of its own clients (grafana.com/docs/pyroscope/latest, profile types).
"""

from __future__ import annotations

from typing import NamedTuple

from ebprof.collector import kinds


class ProfileType(NamedTuple):
    """The parts of an ID."""

    name: str
    sample_type: str
    sample_unit: str
    period_type: str
    period_unit: str

    @property
    def id(self) -> str:
        """As it is written."""
        return ":".join(self)


_BY_TYPE = {
    "cpu": ("process_cpu", "cpu", "nanoseconds", "cpu", "nanoseconds"),
    "wall": ("wall", "wall", "nanoseconds", "wall", "nanoseconds"),
    "offcpu": ("off_cpu", "offcpu", "nanoseconds", "offcpu", "nanoseconds"),
    "heap_inuse": ("memory", "inuse_space", "bytes", "space", "bytes"),
    "heap_inuse_objects": ("memory", "inuse_objects", "count", "space", "bytes"),
    "heap_alloc": ("memory", "alloc_space", "bytes", "space", "bytes"),
    "heap_alloc_objects": ("memory", "alloc_objects", "count", "space", "bytes"),
    "goroutines": ("goroutines", "goroutine", "count", "goroutine", "count"),
    "mutex_delay": ("mutex", "delay", "nanoseconds", "contentions", "count"),
    "mutex_contentions": ("mutex", "contentions", "count", "contentions", "count"),
    "block_delay": ("block", "delay", "nanoseconds", "contentions", "count"),
    "block_contentions": ("block", "contentions", "count", "contentions", "count"),
}
_KNOWN = {name: ProfileType(*parts) for name, parts in _BY_TYPE.items()}
_BY_PARTS = {parts[:3]: name for name, parts in _BY_TYPE.items()}


def profile_type(name: str) -> ProfileType:
    """Of a stored type. One without a name of ours keeps its own: `lost:lost:count:lost:count`."""
    own = name.rpartition(":")[0] or name
    unit = kinds.unit_of(name)
    return _KNOWN.get(name) or ProfileType(own, own, unit, own, unit)


def stored_type(profile_type_id: str) -> str:
    """The type that an ID stands for; empty for what is no ID. A sixth part, `delta`, is ignored.

    The type and unit of the period are ignored too: they say nothing of the values.
    """
    parts = profile_type_id.split(":")
    if len(parts) not in (5, 6) or not all(parts[:3]):
        return ""
    name, sample_type, unit = parts[:3]
    return _BY_PARTS.get((name, sample_type, unit)) or f"{sample_type}:{unit}"
