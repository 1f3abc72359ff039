"""Functions without a name of several builds: the same start in two builds is not the same code.

As `ebprof.comparison.nameless` has it for files: where code of a module without a name is of more
than one build, the build ID is a part of what its functions are called.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ebprof.collector.query.columns import column_of
from ebprof.collector.query.frames import Frames
from ebprof.model import Mapping

_SHORT = 6
"""Digits of a build ID that tell builds apart, unless there are others that begin alike."""
_Of = tuple[str, str]
"""A module's path and a build ID."""


def told_apart(sides: Sequence[Frames]) -> list[Frames]:
    """The same frames, whose names tell builds apart where sides have several of a module."""
    builds: dict[str, set[str]] = defaultdict(set)
    for side in sides:
        for path, build_id in _nameless_of(side):
            builds[Mapping(path).name].add(build_id)
    labels = {
        (module, build_id): f"{module}@{build_id[: _digits(known)]}"
        for module, known in builds.items()
        if len(known) > 1
        for build_id in known
    }
    return [_labelled(side, labels) if labels else side for side in sides]


def _nameless_of(side: Frames) -> set[_Of]:
    """Of which builds there is code without a name; the kernel and what has no build left out."""
    if not len(side.table):
        return set()
    rows = side.table.filter(pa.array(side.is_nameless[:-1])).select(["module", "build_id"])
    pairs = rows.group_by(["module", "build_id"]).aggregate([]).to_pylist()
    found = {(row["module"], row["build_id"]) for row in pairs}
    return {(path, build) for path, build in found if build and not Mapping(path).is_kernel}


def _digits(builds: set[str]) -> int | None:
    lengths = (_SHORT, 2 * _SHORT)
    return next((one for one in lengths if len({id_[:one] for id_ in builds}) == len(builds)), None)


def _labelled(side: Frames, labels: dict[_Of, str]) -> Frames:
    if not len(side.table):
        return side
    called: dict[int, str] = {}
    for location in np.flatnonzero(side.is_nameless[:-1]).tolist():
        path, build_id = (side.table[name][location].as_py() for name in ("module", "build_id"))
        label = labels.get((Mapping(path).name, build_id))
        if label:
            called[location] = label
    lists = column_of(side.table, "names")
    starts = np.asarray(lists.offsets, np.int64)
    first = int(starts[0])
    has_name = {one: label for one, label in called.items() if starts[one + 1] > starts[one]}
    names = _renamed(lists.flatten(), starts - first, has_name)
    column = pa.ListArray.from_arrays(pa.array(starts - first, pa.int32()), names)
    place = side.table.column_names.index("names")
    return replace(side, table=side.table.set_column(place, "names", column), labels=called)


def _renamed(names: Any, starts: npt.NDArray[np.int64], labels: dict[int, str]) -> Any:
    """Names with the module in those of some locations, which are the first of each, replaced."""
    if not labels:
        return names
    places = np.array([starts[one] for one in labels], np.int64)
    old = names.take(pa.array(places)).to_pylist()
    texts = [
        f"[{label}]{text[text.rindex('+0x') :]}"
        for text, label in zip(old, labels.values(), strict=True)
    ]
    mask = np.zeros(len(names), bool)
    mask[places] = True
    return pc.replace_with_mask(names, pa.array(mask), pa.array(texts, names.type))
