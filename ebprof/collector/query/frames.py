"""Frames of the database as locations and functions."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ebprof.collector.query.columns import column_of
from ebprof.model import Frame, Lists, Location, Mapping, grouped

UNKNOWN = "[unknown]"
NAMES = ("frame_id", "module", "address", "names")
"""Columns that functions are made of."""
ALL = (*NAMES, "build_id", "system_names", "files", "lines")
"""Those that locations are made of."""
_NAMELESS = r"^\[.*\]\+0x[0-9a-f]+$"
_NOTHING = pa.table(
    {
        "module": pa.array([], pa.string()),
        "address": pa.array([], pa.uint64()),
        "names": pa.array([], pa.list_(pa.string())),
    }
)


Name = tuple[str, str, bool]
"""Of a function: its name, its module, and whether that is the kernel."""


@dataclass(frozen=True, slots=True, eq=False)
class Functions:
    """Functions of locations. of_location: lists of their numbers, outermost first; name, module:
    int64[n], indices of names and modules.
    """

    of_location: Lists
    name: npt.NDArray[np.int64]
    module: npt.NDArray[np.int64]
    names: pa.Array
    modules: tuple[tuple[str, bool], ...]

    def __len__(self) -> int:
        return len(self.name)

    def are_nameless(self) -> npt.NDArray[np.bool_]:
        """bool[functions]: which have no name."""
        return _are_nameless(self.names)[self.name]

    def called(self, numbers: npt.NDArray[np.int64]) -> list[Name]:
        """What some functions are called."""
        names = self.names.take(pa.array(self.name[numbers])).to_pylist()
        modules = self.module[numbers].tolist()
        return [(name, *self.modules[one]) for name, one in zip(names, modules, strict=True)]


@dataclass(frozen=True, eq=False)
class Frames:
    """Locations that stacks name by index. ids: sorted uint64[n]; table: the rows of these; the
    location behind the last one stands for all that the database does not know, and is one too.
    labels: what the module of some locations is called, where they have no name.
    """

    ids: npt.NDArray[np.uint64]
    table: pa.Table
    labels: AnyMapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids) + 1

    def indices(self, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The index of each frame ID."""
        found = pc.index_in(pa.array(ids), value_set=pa.array(self.ids))
        return np.asarray(found.fill_null(len(self.ids)), np.int64)

    @cached_property
    def is_nameless(self) -> npt.NDArray[np.bool_]:
        """bool[locations]: whose innermost function has no name, as far as the database knows."""
        lists = column_of(self.table, "names")
        starts = np.asarray(lists.offsets, np.int64)
        found = np.append(np.diff(starts) == 0, False)
        named = np.flatnonzero(~found[:-1])
        found[named] = _are_nameless(lists.values.take(pa.array(starts[named])))
        return found

    @cached_property
    def locations(self) -> tuple[Location, ...]:
        """All locations, one by one, of a table with ALL columns."""
        mappings: dict[tuple[str, str], Mapping] = {}
        found = (_location(row, mappings) for row in self.table.to_pylist())
        return (*found, Location(0, None, (Frame(UNKNOWN),)))

    def functions(self) -> Functions:
        """The functions of all locations: what no row has a name for is one by its address."""
        lists = column_of(self.table, "names")
        starts = np.asarray(lists.offsets, np.int64)
        lengths = np.append(np.diff(starts), 0)
        names = lists.values.slice(int(starts[0]), int(starts[-1] - starts[0])).dictionary_encode()
        paths = column_of(self.table, "module").dictionary_encode()
        modules = [_module(path) for path in paths.dictionary.to_pylist()]
        module = np.append(np.asarray(paths.indices, np.int64), len(modules))
        nameless = np.flatnonzero(lengths == 0)
        called = [self._nameless(one, modules, module) for one in nameless.tolist()]
        ends = np.cumsum(np.maximum(lengths, 1))
        name = np.empty(int(ends[-1]), np.int64)
        is_given = np.ones(len(name), bool)
        is_given[ends[nameless] - 1] = False
        name[is_given] = np.asarray(names.indices, np.int64)
        name[~is_given] = len(names.dictionary) + np.arange(len(called))
        groups = grouped(name, np.repeat(module, np.maximum(lengths, 1)))
        return Functions(
            Lists(np.append(0, ends), groups.of_row).reversed(),
            name[groups.first],
            np.repeat(module, np.maximum(lengths, 1))[groups.first],
            pa.concat_arrays([names.dictionary.cast(pa.string()), pa.array(called, pa.string())]),
            (*modules, ("", False)),
        )

    def _nameless(
        self, location: int, modules: list[tuple[str, bool]], module: npt.NDArray[np.int64]
    ) -> str:
        if location == len(self.table):
            return UNKNOWN
        name, _ = modules[int(module[location])]
        return _unnamed(self.labels.get(location, name), self.table["address"][location].as_py())


def frames_of(table: pa.Table) -> Frames:
    """The frames that `frames.sql` gives; its columns are NAMES or ALL."""
    if not len(table):
        return Frames(np.array([], np.uint64), _NOTHING)
    table = table.sort_by("frame_id").combine_chunks()
    return Frames(np.asarray(table["frame_id"], np.uint64), table)


def _are_nameless(names: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.match_substring_regex(names, _NAMELESS), bool)


def _module(path: str) -> tuple[str, bool]:
    mapping = Mapping(path)
    return mapping.name, mapping.is_kernel


def _location(row: dict[str, Any], mappings: dict[tuple[str, str], Mapping]) -> Location:
    key = row["module"], row["build_id"]
    mapping = mappings.setdefault(key, Mapping(*key)) if any(key) else None
    address = row["address"]
    lines = zip(row["names"], row["system_names"], row["files"], row["lines"], strict=True)
    named = tuple(Frame(name, file, line, system) for name, system, file, line in lines)
    if named:
        return Location(address, mapping, named)
    module = mapping.name if mapping else ""
    return Location(address, mapping, (Frame(_unnamed(module, address)),))


def _unnamed(module: str, address: int) -> str:
    """What code without a name is called."""
    return f"[{module or UNKNOWN}]+{address:#x}"
