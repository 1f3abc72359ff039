"""Pushes as rows of the tables: series, stacks and frames by hash, samples by these."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from ebprof import model
from ebprof.collector import kinds
from ebprof.model import Numbers

ROLLED_UP = frozenset({"pod", "pod_uid", "container", "container_id", "cgroup"})
"""Labels that rollups do not tell apart: they come and go with each deployment."""
SERVICE = "service_name"
NO_SERVICE = "unspecified"
_MOST_KNOWN = 500_000
_LENGTH = struct.Struct("<I")
_NUMBER = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series; ids are hashes of its labels, of all and of those that rollups keep."""

    service: str
    series_id: int
    rollup_series_id: int
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FrameRow:
    """A frame: with names, or an address in a file with a build ID that are looked up later.

    address: offset in the file. names, system_names, files, lines: innermost inlined call first.
    """

    frame_id: int
    module: str
    build_id: str
    address: int
    names: tuple[str, ...] = ()
    system_names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StackRow:
    """A stack, leaf first, in one service. stop: why it ends, as `Sample.stop`."""

    service: str
    stack_id: bytes
    stop: str
    frame_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Samples of one type of one profile: ts in milliseconds since the epoch, and columns.

    series_id, rollup_series_id: uint64[n]; stack_id: S16[n]; value: int64[n].
    """

    ts: int
    type: str
    service: str
    series_id: Numbers
    rollup_series_id: Numbers
    stack_id: Numbers
    value: Numbers


class FrameRows:
    """Frames of locations. Those that were met lately are found without a hash."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], FrameRow] = {}

    def of(self, location: model.Location) -> FrameRow:
        """The frame of a location: it has names, or is an address to be looked up later."""
        mapping = location.mapping
        module, build_id = (mapping.path, mapping.build_id) if mapping else ("", "")
        offset = location.address - mapping.start + mapping.offset if mapping else 0
        if build_id and mapping and offset > 0 and _is_unnamed(location, mapping, offset):
            key: tuple[object, ...] = (module, build_id, offset)
        else:
            key, offset = (module, build_id, location.frames), 0
        row = self._known.get(key)
        if row is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            frames = () if offset else location.frames
            row = self._known[key] = _frame_row(module, build_id, offset, frames)
        return row


@dataclass(slots=True)
class Rows:
    """Rows of one INSERT into each table: what profiles say, each series, stack and frame once.

    known: frames that were met before, here or in other rows.
    """

    known: FrameRows = field(default_factory=FrameRows)
    chunks: list[Chunk] = field(default_factory=list)
    samples: int = 0
    series: dict[int, SeriesRow] = field(default_factory=dict)
    stacks: dict[tuple[str, bytes], StackRow] = field(default_factory=dict)
    frames: dict[int, FrameRow] = field(default_factory=dict)

    def add(self, labels: Mapping[str, str], profile: model.Profile, received_ns: int) -> None:
        """Add a profile; labels: of its series, by name.

        Nothing of a profile is added where this raises. Samples that differ in threads or labels of
        pprof only are put together. A process that they
        name, and the labels do not, becomes the label `process`.
        """
        samples = profile.samples
        if not len(samples):
            return
        comm = np.where(samples.rows["pid"] != 0, samples.rows["comm"], 0)
        groups = model.grouped(samples.rows["stack"], samples.rows["stop"], comm)
        series, rollup = self._series(labels, samples.tables.strings, comm[groups.first])
        service = labels.get(SERVICE) or NO_SERVICE
        stack_ids = self._stacks(service, samples.take(groups.first))
        ts = (profile.time_ns or received_ns) // 1_000_000
        chunks = []
        for kind, values in kinds.stored(profile, labels.get("__name__", "")):
            summed = groups.sums(values)
            some = summed != 0
            columns = (series[some], rollup[some], stack_ids[some], summed[some])
            chunks.append(Chunk(ts, kind.name, service, *columns))
        self.chunks += chunks
        self.samples += sum(len(chunk.value) for chunk in chunks)

    def _series(
        self, labels: Mapping[str, str], strings: Sequence[str], comm: Numbers
    ) -> tuple[Numbers, Numbers]:
        """IDs of the series of each process, and of those that rollups keep: uint64[n]."""
        distinct, inverse = np.unique(comm, return_inverse=True)
        rows = [series_row(labels, strings[number]) for number in distinct.tolist()]
        for row in rows:
            self.series.setdefault(row.series_id, row)
        ids = np.array([row.series_id for row in rows], np.uint64)
        rolled_up = np.array([row.rollup_series_id for row in rows], np.uint64)
        return ids[inverse], rolled_up[inverse]

    def _stacks(self, service: str, samples: model.Samples) -> Numbers:
        """IDs of the stacks of samples, S16[n]."""
        tables = samples.tables
        frame_ids = np.zeros(len(tables.locations), np.uint64)
        for number in samples.locations.tolist():
            row = self.known.of(tables.location_values[number])
            self.frames.setdefault(row.frame_id, row)
            frame_ids[number] = row.frame_id
        found = []
        columns = samples.rows["stack"].tolist(), samples.rows["stop"].tolist()
        for stack, stop in zip(*columns, strict=True):
            reason, numbers = tables.strings[stop], frame_ids[tables.stacks[stack]]
            stack_id = _hash((reason, numbers.tobytes()), 16)
            found.append(stack_id)
            key = service, stack_id
            if key not in self.stacks:
                self.stacks[key] = StackRow(service, stack_id, reason, tuple(numbers.tolist()))
        return np.array(found, "S16")


def series_row(labels: Mapping[str, str], process: str = "") -> SeriesRow:
    """The series of labels. Those that begin with `__` are no part of it."""
    kept = {SERVICE: NO_SERVICE} | ({"process": process} if process else {})
    kept |= {name: value for name, value in labels.items() if value and not name.startswith("__")}
    pairs = tuple(sorted(kept.items()))
    rolled_up = [pair for pair in pairs if pair[0] not in ROLLED_UP]
    return SeriesRow(kept[SERVICE], _series_id(pairs), _series_id(rolled_up), pairs)


def _frame_row(module: str, build_id: str, offset: int, frames: Sequence[model.Frame]) -> FrameRow:
    if not frames:
        number = _number(("address", build_id, offset.to_bytes(8, "little")))
        return FrameRow(number, module, build_id, offset)
    names = tuple(one.function for one in frames)
    systems = tuple(one.system_name for one in frames)
    files = tuple(one.file for one in frames)
    lines = tuple(min(one.line, 0xFFFFFFFF) for one in frames)
    number = _number(("names", module, *names, *systems, *files, *map(str, lines)))
    return FrameRow(number, module, build_id, 0, names, systems, files, lines)


def _is_unnamed(location: model.Location, mapping: model.Mapping, offset: int) -> bool:
    """Whether a location has the one name that readers of profiles give to those without."""
    if len(location.frames) != 1 or not location.frames[0].function.startswith("["):
        return False
    frame = location.frames[0]
    return not frame.file and frame.function == f"[{mapping.name}]+{offset:#x}"


def _series_id(pairs: Iterable[tuple[str, str]]) -> int:
    return _number([text for pair in pairs for text in pair])


def _number(parts: Iterable[str | bytes]) -> int:
    (number,) = _NUMBER.unpack(_hash(parts, _NUMBER.size))
    return int(number)


def _hash(parts: Iterable[str | bytes], size: int) -> bytes:
    """Of parts, each with its length before it, so that no two lists of parts are the same."""
    state = blake2b(digest_size=size)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        state.update(_LENGTH.pack(len(data)) + data)
    return state.digest()
