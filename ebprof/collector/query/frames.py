"""Frames of the database as locations and functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ebprof.model import Frame, Location, Mapping

UNKNOWN = "[unknown]"


@dataclass(frozen=True, slots=True)
class Frames:
    """Locations that stacks name by index. ids: sorted uint64[n]; the last location stands for all
    that the database does not know.
    """

    ids: npt.NDArray[np.uint64]
    locations: tuple[Location, ...]

    def indices(self, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The index of each frame ID."""
        found = np.searchsorted(self.ids, ids)
        is_known = found < len(self.ids)
        is_known[is_known] = self.ids[found[is_known]] == ids[is_known]
        return np.where(is_known, found, len(self.ids)).astype(np.int64)


def frames_of(table: pa.Table) -> Frames:
    """The frames that `frames.sql` gives."""
    rows = sorted(table.to_pylist(), key=lambda row: int(row["frame_id"]))
    ids = np.array([row["frame_id"] for row in rows], np.uint64)
    mappings: dict[tuple[str, str], Mapping] = {}
    locations = [_location(row, mappings) for row in rows]
    return Frames(ids, (*locations, Location(0, None, (Frame(UNKNOWN),))))


def _location(row: dict[str, Any], mappings: dict[tuple[str, str], Mapping]) -> Location:
    key = row["module"], row["build_id"]
    mapping = mappings.setdefault(key, Mapping(*key)) if any(key) else None
    address = row["address"]
    lines = zip(row["names"], row["system_names"], row["files"], row["lines"], strict=True)
    named = tuple(Frame(name, file, line, system) for name, system, file, line in lines)
    if named:
        return Location(address, mapping, named)
    module = mapping.name if mapping else UNKNOWN
    return Location(address, mapping, (Frame(f"[{module}]+{address:#x}"),))
