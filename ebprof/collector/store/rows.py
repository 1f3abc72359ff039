"""Profiles as rows of the tables: series, stacks and frames by hash, samples by these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ebprof.collector import kinds
from ebprof.collector.kinds import Kind
from ebprof.collector.profiles.batch import EMPTY, Batch, number_lists
from ebprof.collector.store.frames import FrameRow, KnownFrames, frames_of
from ebprof.collector.store.hashes import Hasher, framed
from ebprof.model import Lists, Numbers, grouped
from ebprof.wire.flows import FlowWindow

ROLLED_UP = frozenset({"pod", "pod_uid", "container", "container_id", "cgroup"})
"""Labels that rollups do not tell apart: they come and go with each deployment."""
SERVICE = "service_name"
NAME = "__name__"
NO_SERVICE = "unspecified"
_MOST_KNOWN = 200_000

Labels = tuple[tuple[str, str], ...]
"""Of a series, sorted by name."""


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series; ids are hashes of its labels, of all and of those that rollups keep."""

    service: str
    series_id: int
    rollup_series_id: int
    labels: Labels


@dataclass(frozen=True, slots=True)
class StackRow:
    """A stack, leaf first, in one service. stop: why it ends, as `Sample.stop`."""

    service: str
    stack_id: bytes
    stop: str
    frame_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a profile of a batch comes from: labels of its series, and when it arrived."""

    labels: Labels
    received_ns: int

    @property
    def service(self) -> str:
        """The label `service_name`."""
        return dict(self.labels).get(SERVICE) or NO_SERVICE


@dataclass(frozen=True, slots=True, eq=False)
class SampleColumns:
    """Samples, each of one type.

    ts: int64[n], milliseconds since the epoch. type, service: int32[n], indices of types and
    services. series_id, rollup_series_id: uint64[n]; stack_id: S16[n]; value: int64[n].
    """

    types: Sequence[str]
    services: Sequence[str]
    ts: Numbers
    type: Numbers
    service: Numbers
    series_id: Numbers
    rollup_series_id: Numbers
    stack_id: Numbers
    value: Numbers

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one INSERT into each table: what profiles say, each series, stack and frame once.

    flows: as they were pushed.
    """

    samples: SampleColumns
    series: dict[int, SeriesRow]
    stacks: Mapping[tuple[str, bytes], StackRow]
    frames: Mapping[int, FrameRow]
    flows: Sequence[FlowWindow] = ()


@dataclass(slots=True)
class Known:
    """Frames and series that were met lately. hasher: of the store that they are for."""

    hasher: Hasher
    frames: KnownFrames = field(init=False)
    series: dict[tuple[Labels, str], SeriesRow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.frames = KnownFrames(self.hasher)

    def series_of(self, labels: Labels, process: str) -> SeriesRow:
        """The series of labels and of a process, which may be empty."""
        key = labels, process
        row = self.series.get(key)
        if row is None:
            if len(self.series) >= _MOST_KNOWN:
                self.series.clear()
            row = self.series[key] = series_row(labels, process, self.hasher)
        return row


def rows_of(batch: Batch, sent: Sequence[Sent], known: Known) -> Rows:
    """The rows of a batch; sent: of each of its profiles.

    Samples that differ in threads or labels of pprof only are put together. A process that they
    name, and the labels do not, becomes the label `process`.
    """
    frame_ids, of_location, frames = frames_of(batch, known.frames)
    stacks, same = number_lists(Lists(batch.stacks.starts, of_location[batch.stacks.items]))
    values = _values(batch, _kinds(batch, sent), same)
    services = sorted({one.service for one in sent})
    service = np.array([services.index(one.service) for one in sent], np.int32)[values.profile]
    of_ids = Lists(stacks.starts, frame_ids[stacks.items])
    stack_ids, stack_rows = _stacks(batch, values, services, service, of_ids, known.hasher)
    series, rollup, series_rows = _series(batch, values, sent, known)
    columns = SampleColumns(
        types=values.kinds,
        services=services,
        ts=_times(batch, sent)[values.profile],
        type=values.kind,
        service=service,
        series_id=series,
        rollup_series_id=rollup,
        stack_id=stack_ids,
        value=values.value,
    )
    return Rows(columns, series_rows, stack_rows, frames)


def series_row(labels: Iterable[tuple[str, str]], process: str, hasher: Hasher) -> SeriesRow:
    """The series of labels. Those that begin with `__` are no part of it."""
    kept = {SERVICE: NO_SERVICE} | ({"process": process} if process else {})
    kept |= {name: value for name, value in labels if value and not name.startswith("__")}
    pairs = tuple(sorted(kept.items()))
    rolled_up = [pair for pair in pairs if pair[0] not in ROLLED_UP]
    return SeriesRow(kept[SERVICE], _series_id(pairs, hasher), _series_id(rolled_up, hasher), pairs)


def _series_id(pairs: Iterable[tuple[str, str]], hasher: Hasher) -> int:
    return hasher.number_of([text for pair in pairs for text in pair])


def _times(batch: Batch, sent: Sequence[Sent]) -> NDArray[np.int64]:
    """Of each profile, in milliseconds."""
    times = batch.pieces["header"]["time_nanos"]
    received = np.array([one.received_ns for one in sent], np.int64)
    return np.asarray(np.where(times > 0, times, received) // 1_000_000)


# ---- values -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """What is stored: sums, by profile, type, stack, stop reason and process; columns of n.

    kind: int32, of kinds. stop, comm: texts.
    """

    kinds: Sequence[str]
    value: NDArray[np.int64]
    profile: Numbers
    kind: Numbers
    stack: Numbers
    stop: Numbers
    comm: Numbers


def _kinds(batch: Batch, sent: Sequence[Sent]) -> list[Kind | None]:
    """What each type is stored as; None for those that are not."""
    names = [dict(one.labels).get(NAME, "") for one in sent]
    found: list[Kind | None] = [
        kinds.kind_of(one, names[profile])
        for one, profile in zip(batch.type_names, batch.profile_of("types").tolist(), strict=True)
    ]
    for row in kinds.counted(batch).tolist():
        found[row] = None
    return found


def _values(batch: Batch, stored: Sequence[Kind | None], stacks: Numbers) -> _Values:
    """stored: of each type; stacks: of each stack of the batch."""
    names = sorted({one.name for one in stored if one})
    kinds_of_types = np.array([names.index(one.name) if one else -1 for one in stored], np.int32)
    sample, row = batch.row_of_value
    kept = np.flatnonzero((batch.values != 0) & (kinds_of_types[row] >= 0))
    sample = sample[kept]
    rows = batch.samples[sample]
    comm = np.where(rows["pid"] != 0, _texts(batch, rows["comm"]), np.uint32(EMPTY))
    columns = (
        batch.profile_of("samples")[sample],
        kinds_of_types[row[kept]],
        stacks[rows["stack"]],
        _texts(batch, rows["stop"]),
        comm,
    )
    groups = grouped(*columns)
    first = groups.first
    return _Values(names, groups.sums(batch.values[kept]), *(one[first] for one in columns))


def _texts(batch: Batch, strings: Numbers) -> NDArray[np.uint32]:
    """Texts of strings of samples, of which those that are absent have large numbers."""
    row = np.minimum(strings, len(batch.strings)).astype(np.int64)
    return np.append(batch.text_of_string, np.uint32(EMPTY))[row]


# ---- series and stacks ------------------------------------------------------------------------


def _series(
    batch: Batch, values: _Values, sent: Sequence[Sent], known: Known
) -> tuple[Numbers, Numbers, dict[int, SeriesRow]]:
    """IDs of the series of each value, and of those that rollups keep: uint64[n]; their rows."""
    groups = grouped(values.profile, values.comm)
    pairs = zip(
        values.profile[groups.first].tolist(), values.comm[groups.first].tolist(), strict=True
    )
    rows = [known.series_of(sent[one].labels, batch.text(comm)) for one, comm in pairs]
    ids = np.array([row.series_id for row in rows], np.uint64)
    rolled_up = np.array([row.rollup_series_id for row in rows], np.uint64)
    found = {row.series_id: row for row in rows}
    return ids[groups.of_row], rolled_up[groups.of_row], found


def _stacks(
    batch: Batch,
    values: _Values,
    services: Sequence[str],
    service: Numbers,
    stacks: Lists,
    hasher: Hasher,
) -> tuple[Numbers, _StackRows]:
    """IDs of the stacks of values, S16[n], and their rows; stacks: lists of frame IDs."""
    groups = grouped(values.stack, values.stop)
    stop_of, stack_of = values.stop[groups.first], values.stack[groups.first].tolist()
    texts = {one: batch.text(one) for one in np.unique(stop_of).tolist()}
    heads = {one: framed(text) for one, text in texts.items()}
    data, bounds = stacks.items.tobytes(), (stacks.starts * stacks.items.itemsize).tolist()
    ids = [
        hasher.hash_of_framed(heads[stop] + framed(data[bounds[one] : bounds[one + 1]]), 16)
        for one, stop in zip(stack_of, stop_of.tolist(), strict=True)
    ]
    pairs = grouped(groups.of_row, service).first
    group, name = groups.of_row[pairs].tolist(), service[pairs].tolist()
    keys = [(services[one], ids[at]) for one, at in zip(name, group, strict=True)]
    places = [(texts[int(stop_of[at])], stack_of[at]) for at in group]
    rows = _StackRows(dict(zip(keys, places, strict=True)), stacks)
    return np.array(ids, "S16")[groups.of_row], rows


class _StackRows(Mapping[tuple[str, bytes], StackRow]):
    """Rows by service and ID, made of stop reasons and numbers of lists when they are asked for:
    most stacks were stored before.
    """

    def __init__(self, places: dict[tuple[str, bytes], tuple[str, int]], stacks: Lists) -> None:
        self._places = places
        self._stacks = stacks

    def __getitem__(self, key: tuple[str, bytes]) -> StackRow:
        stop, number = self._places[key]
        return StackRow(*key, stop, tuple(self._stacks[number].tolist()))

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
