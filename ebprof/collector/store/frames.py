"""Locations of profiles as rows of the table `frames`, by hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebprof.collector.profiles.batch import EMPTY, Batch, Hashes, number_lists
from ebprof.collector.store.hashes import Hasher
from ebprof.model import Lists, Numbers

_MOST_KNOWN = 500_000
MAX_LINE = 0xFFFFFFFF
# Words of a location's key: path, build ID, offset (lower half, upper half); then of each line its
# name, system name, file, and number.
_HEAD, _OF_LINE = 4, 4


@dataclass(frozen=True, slots=True)
class FrameRow:
    """A frame: with names, or an address in a file with a build ID that are looked up later.

    address: offset in the file. names, system_names, files, lines: innermost inlined call first.
    is_by_start: the only name says where a function without one begins: any other is better.
    """

    frame_id: int
    module: str
    build_id: str
    address: int
    names: tuple[str, ...] = ()
    system_names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    is_by_start: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A call at an address: name is empty where there is none; system_name where it is the same."""

    name: str
    system_name: str
    file: str
    line: int


class FrameRows(Mapping[int, FrameRow]):
    """Rows by the IDs of frames. ids: uint64[n]; numbers: int64[n], which row each one has."""

    def __init__(
        self, ids: NDArray[np.uint64], numbers: NDArray[np.int64], rows: Sequence[FrameRow]
    ) -> None:
        self._numbers = dict(zip(ids.tolist(), numbers.tolist(), strict=True))
        self._rows = rows

    def __getitem__(self, frame_id: int) -> FrameRow:
        return self._rows[self._numbers[frame_id]]

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


class KnownFrames:
    """Rows of frames. Those that were met lately are found by a hash of what was sent."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self._hashes = Hashes()
        self._forget()

    def of(self, batch: Batch, lists: Lists) -> tuple[NDArray[np.uint64], FrameRows]:
        """The ID of each location, of which lists are the keys, and the rows of these IDs."""
        if len(self._rows) >= _MOST_KNOWN:
            self._forget()
        keys = self._hashes.of_lists(batch, lists, _is_text(lists))
        numbers = self._numbers_of(keys)
        unknown = np.flatnonzero(numbers < 0)
        if len(unknown):
            rows = [self._row(batch, lists[one].tolist()) for one in unknown.tolist()]
            numbers[unknown] = self._add(keys[:, unknown], rows)
        ids = self._ids[numbers]
        return ids, FrameRows(ids, numbers, self._rows)

    def _forget(self) -> None:
        self._rows: list[FrameRow] = []
        self._ids = np.empty(0, np.uint64)
        # Sorted by the first halves of keys; numbers: of rows.
        self._keys, self._numbers = np.empty((2, 0), np.uint64), np.empty(0, np.int64)

    def _numbers_of(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The number of the row of each key, -1 where there is none."""
        places = np.searchsorted(self._keys[0], keys[0])
        found = np.full(len(places), -1)
        within = np.flatnonzero(places < len(self._numbers))
        same = within[(self._keys[:, places[within]] == keys[:, within]).all(axis=0)]
        found[same] = self._numbers[places[same]]
        return found

    def _add(self, keys: NDArray[np.uint64], rows: list[FrameRow]) -> NDArray[np.int64]:
        """Returns the numbers of the rows."""
        numbers = len(self._rows) + np.arange(len(rows))
        order = np.argsort(keys[0])
        places = np.searchsorted(self._keys[0], keys[0, order])
        self._keys = np.insert(self._keys, places, keys[:, order], axis=1)
        self._numbers = np.insert(self._numbers, places, numbers[order])
        self._ids = np.append(self._ids, np.array([row.frame_id for row in rows], np.uint64))
        self._rows += rows
        return numbers

    def _row(self, batch: Batch, words: list[int]) -> FrameRow:
        path, build_id, low, high = words[:_HEAD]
        lines = tuple(
            Line(batch.text(name), batch.text(system_name), batch.text(file), line)
            for name, system_name, file, line in (
                np.array(words[_HEAD:]).reshape(-1, _OF_LINE).tolist()
            )
        )
        offset = low | high << 32
        return frame_row(batch.text(path), batch.text(build_id), offset, lines, self._hasher)


def frames_of(
    batch: Batch, known: KnownFrames
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], FrameRows]:
    """IDs of the distinct frames of a batch, which of these each location has, and their rows."""
    lists, numbers = number_lists(_keys(batch))
    ids, rows = known.of(batch, lists)
    return ids, numbers, rows


def frame_row(
    module: str, build_id: str, offset: int, lines: tuple[Line, ...], hasher: Hasher
) -> FrameRow:
    """The frame of a location: it has names, or is an address to be looked up later.

    offset: in the file. lines: innermost inlined call first, at least one. All of the row is a
    part of its number: two senders of the same number sent the same row.
    """
    name = _nameless(module, offset)
    if build_id and offset and _is_unnamed(lines, name):
        number = hasher.number_of(("address", module, build_id, offset.to_bytes(8, "little")))
        return FrameRow(number, module, build_id, offset)
    names = tuple(one.name or name for one in lines)
    systems = tuple(one.system_name for one in lines)
    files = tuple(one.file for one in lines)
    numbers = tuple(one.line for one in lines)
    said = (*names, *systems, *files, *map(str, numbers))
    number = hasher.number_of(("names", module, build_id, *said))
    return FrameRow(number, module, build_id, 0, names, systems, files, numbers)


def by_start(frame_id: int, module: str, build_id: str, offset: int, start: int) -> FrameRow:
    """The frame of an address whose function has no name; start: of the function, p_vaddr."""
    name = _nameless(module, start)
    return FrameRow(frame_id, module, build_id, offset, (name,), ("",), ("",), (0,), True)


def _nameless(module: str, number: int) -> str:
    return f"[{module.rsplit('/', 1)[-1] or module or 'unknown'}]+{number:#x}"


def _is_unnamed(lines: tuple[Line, ...], name: str) -> bool:
    """Whether a location has no name, or the one that readers of profiles give to those without."""
    return len(lines) == 1 and lines[0].name in ("", name) and not lines[0].file


# ---- keys -------------------------------------------------------------------------------------


def _keys(batch: Batch) -> Lists:
    """What tells locations apart, a list of words each: texts are numbers of `batch.texts`.

    The offset of a location with a name is left out.
    """
    ends = batch.locations["lines_end"].astype(np.int64)
    lines = ends - np.append(0, ends)[:-1]
    lengths = _HEAD + _OF_LINE * np.maximum(lines, 1)
    starts = np.append(0, np.cumsum(lengths))
    words = np.full(int(starts[-1]), EMPTY, np.uint32)
    words[starts[1:] - 1] = 0  # a location without lines has line 0
    at = starts[:-1]
    columns = _lines(batch)
    place = np.repeat(at + _HEAD, lines) + _OF_LINE * _within(lines)
    for number, column in enumerate(columns):
        words[place + number] = column
    path, build_id, offset = _places(batch)
    offset[~_may_be_nameless(batch, lines, columns[0])] = 0
    head = (path, build_id, offset & 0xFFFFFFFF, offset >> np.uint64(32))
    for number, column in enumerate(head):
        words[at + number] = column
    return Lists(starts, words)


def _is_text(lists: Lists) -> NDArray[np.bool_]:
    """Which words of keys are texts: all but offsets and numbers of lines."""
    at = _within(lists.lengths)
    return np.array((at % _OF_LINE != _OF_LINE - 1) & (at != _HEAD - 2))


def _lines(batch: Batch) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Name, system name and file of each line as numbers of texts, and the line."""
    row = _rows(batch.lines["function_id"], batch.functions)
    name, system, file = (
        _texts(batch, batch.functions[column])[row]
        for column in ("name", "system_name", "filename")
    )
    is_other = (system != name) & (name != EMPTY)
    line = np.clip(batch.lines["line"], 0, MAX_LINE)
    return np.where(name == EMPTY, system, name), np.where(is_other, system, EMPTY), file, line


def _places(batch: Batch) -> tuple[Numbers, Numbers, NDArray[np.uint64]]:
    """Path and build ID of each location's mapping, and the offset in the file, or the address."""
    row = _rows(batch.locations["mapping_id"], batch.mappings)
    path, build_id = (
        _texts(batch, batch.mappings[column])[row] for column in ("filename", "build_id")
    )
    start, first = (
        np.append(batch.mappings[column], np.uint64(0))[row] for column in ("start", "offset")
    )
    moved = batch.locations["address"] + first
    return path, build_id, np.where(moved >= start, moved - start, np.uint64(0))


def _may_be_nameless(batch: Batch, lines: Numbers, names: Numbers) -> Numbers:
    """Locations without a name, or with one that may stand for an address."""
    has_text = batch.spans["size"] > 0
    first = np.full(len(has_text), ord("["))
    begins = batch.spans["offset"][has_text]
    first[has_text] = np.frombuffer(batch.data, np.uint8)[begins]
    found = np.array(lines == 0)
    found[np.repeat(np.arange(len(lines)), lines)[first[names] == ord("[")]] = True
    return found


def _texts(batch: Batch, strings: Numbers) -> Numbers:
    """Texts of a table's strings, and none behind the last."""
    return np.append(batch.text_of_string[strings], np.uint32(EMPTY))


def _rows(references: Numbers, table: Numbers) -> NDArray[np.int64]:
    """References as rows, of which the one behind the last stands for none."""
    return np.minimum(references, np.uint64(len(table))).astype(np.int64)


def _within(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, ... of each list of some lengths."""
    starts = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
