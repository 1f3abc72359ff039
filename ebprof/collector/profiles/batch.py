"""Many profiles read at once into the same columns: arrays of ten rows each would cost more than
what is in them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.abi import dtype_of
from ebprof.model import Lists, Numbers

MAX_ROWS = 2_000_000
"""Of any table, in all profiles of a batch: what fits into 64 MiB and says anything has fewer."""
MAX_ITEMS = 16_000_000
"""Of locations of all stacks, and of values of all samples."""
MAX_NAME = 16 << 10
"""Characters of a name that are kept."""
EMPTY = 0
"""The number of the empty text."""
_LONGEST_CHARACTER = 4
_PIECE = dtype_of("struct pprof_piece")
_ROWS = ("types", "mappings", "functions", "locations", "lines", "strings", "samples")
_SIZES: tuple[str, ...] = dtype_of("struct pprof_sizes").names or ()
_KEY_LIMIT = (1 << 61) - 2


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a profile of a batch was not read."""

    profile: int
    message: str


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of all profiles, which are structs of pprof_batch.h. A profile that cannot be read has
    none, and an error.

    data: all profiles, one behind the other. pieces: where they are, and how many rows each has.
    mapping_id, function_id: rows, or 2 ** 64 - 1. text_of_string: uint32[strings], the number of
    each one's text; spans: where each text is. stacks: lists of locations, leaf first; those of one
    profile are distinct. values: int64[n]: of each sample in turn, as many as it has types.
    """

    data: bytes
    pieces: Numbers
    types: Numbers
    mappings: Numbers
    functions: Numbers
    locations: Numbers
    lines: Numbers
    strings: Numbers
    samples: Numbers
    values: NDArray[np.int64]
    stacks: Lists
    text_of_string: NDArray[np.uint32]
    spans: Numbers

    def count(self, name: str) -> NDArray[np.int64]:
        """int64[profiles]: how many types, samples, ... each has."""
        return np.asarray(self.pieces["sizes"][name].astype(np.int64))

    def profile_of(self, name: str) -> NDArray[np.int64]:
        """The profile of each type, sample, ..."""
        return np.repeat(np.arange(len(self.pieces)), self.count(name))

    def text(self, number: int) -> str:
        """A text, by its number."""
        found = self._texts.get(number)
        if found is None:
            start, size = self.spans[number].tolist()
            data = self.data[start : start + min(size, MAX_NAME * _LONGEST_CHARACTER)]
            found = self._texts[number] = data.decode("utf-8", "replace")[:MAX_NAME]
        return found

    @cached_property
    def _texts(self) -> dict[int, str]:
        return {}

    @property
    def type_names(self) -> list[tuple[str, str]]:
        """Name and unit of each type."""
        columns = (self.text_of_string[self.types[name]].tolist() for name in ("type", "unit"))
        return [(self.text(name), self.text(unit)) for name, unit in zip(*columns, strict=True)]

    @property
    def row_of_value(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each value, its sample, and its type as a row of types."""
        types = self.count("types")
        first_type = np.cumsum(types) - types
        of_sample = self.profile_of("samples")
        width = types[of_sample]
        sample = np.repeat(np.arange(len(width)), width)
        within = np.arange(len(sample)) - np.repeat(np.cumsum(width) - width, width)
        return sample, first_type[of_sample][sample] + within

    def problems(self, max_depth: int) -> list[Problem]:
        """Why profiles were not read; max_depth: what `read` was told."""
        return [
            Problem(number, _message(int(piece["error"]), int(piece["bad"]), max_depth))
            for number, piece in enumerate(self.pieces)
            if piece["error"]
        ]


def measure(profiles: Sequence[bytes]) -> tuple[bytes, Numbers]:
    """Unpacked profiles, one behind the other, and how many rows each has: `pprof_piece`[n]."""
    data = b"".join(profiles)
    pieces = np.zeros(len(profiles), _PIECE)
    sizes = np.array([len(one) for one in profiles], np.int64)
    pieces["size"] = sizes
    pieces["offset"] = np.cumsum(sizes) - sizes
    lib.pprof_batch_measure(_bytes(data), _into(pieces), len(pieces))
    return data, pieces


def read(profiles: Sequence[bytes], max_depth: int) -> Batch:
    """The profiles, unpacked, in columns; max_depth: frames of a stack, inlined calls included."""
    return read_measured(*measure(profiles), max_depth)


def excess(pieces: Numbers) -> str:
    """What profiles together have more of than anybody needs; empty where there is nothing."""
    sizes = pieces["sizes"]
    for name in _SIZES:
        most = MAX_ITEMS if name in ("location_ids", "values") else MAX_ROWS
        if sizes[name].sum() > most:
            return f"profiles have more than {most:,} {name} together"
    return ""


def read_measured(data: bytes, pieces: Numbers, max_depth: int) -> Batch:
    """The profiles that `measure` was given, in columns."""
    sizes = pieces["sizes"]
    room = {name: int(sizes[name].sum()) for name in _SIZES}
    rows = {name: np.empty(room[name], dtype_of(f"struct pprof_{name[:-1]}")) for name in _ROWS}
    rows["values"] = np.empty(room["values"], np.int64)
    rows["stack_items"] = np.empty(room["location_ids"], np.uint32)
    rows["stack_starts"] = np.empty(room["samples"] + 1, np.uint64)
    scratch = _scratch(sizes)
    batch = ffi.new(
        "struct pprof_batch *",
        {
            "room": room,
            "max_frames": max_depth,
            "list_key": _secret() % _KEY_LIMIT + 1,
            "id_key": _secret() | 1,
            "scratch": {name: _into(one) for name, one in scratch.items()},
            **{name: _into(one) for name, one in rows.items()},
        },
    )
    lib.pprof_batch_read(_bytes(data), _into(pieces), len(pieces), batch)
    starts = rows.pop("stack_starts")[: batch.stacks + 1].astype(np.int64)
    items = rows.pop("stack_items")[: batch.used.location_ids]
    used = {name: one[: getattr(batch.used, name)] for name, one in rows.items()}
    text_of_string, spans = _texts(data, used["strings"])
    return Batch(
        data=data,
        pieces=pieces,
        stacks=Lists(starts, items),
        text_of_string=text_of_string,
        spans=spans,
        **used,
    )


def _scratch(sizes: Numbers) -> dict[str, NDArray[Any]]:
    most = {name: int(sizes[name].max(initial=0)) for name in _SIZES}
    ids = max(most["mappings"], most["functions"], most["locations"])
    refs = max(most["locations"], most["lines"])
    return {
        "roles": np.empty(most["strings"], np.uint8),
        "comments": np.empty(most["comments"], np.int64),
        "ids": np.empty(ids, np.uint64),
        "refs": np.empty(refs, np.uint64),
        "numbers": np.empty(refs, np.uint32),
        "frames": np.empty(most["locations"], np.uint32),
        "text": np.empty(most["locations"], np.uint64),
        "id_slots": np.empty(_slots(ids), np.uint32),
        "stack_slots": np.empty(_slots(most["samples"]), np.uint32),
        "label_slots": np.empty(_slots(most["labels"]), np.uint32),
        "set_slots": np.empty(_slots(most["samples"] + 1), np.uint32),
        "label_starts": np.empty(most["labels"] + 1, np.uint64),
        "label_items": np.empty(most["labels"] * lib.PPROF_LABEL_WORDS, np.uint32),
        "set_starts": np.empty(most["samples"] + 2, np.uint64),
        "set_items": np.empty(most["labels"], np.uint32),
    }


def _texts(data: bytes, strings: Numbers) -> tuple[NDArray[np.uint32], Numbers]:
    """The number of each string's text, and where each text is."""
    strings = np.append(np.zeros(1, strings.dtype), strings)  # the empty text comes first
    numbers, first = np.empty((2, len(strings)), np.uint32)
    slots = np.zeros(_slots(len(strings)), np.uint32)
    key = _secret() % _KEY_LIMIT + 1
    count = lib.pprof_intern(
        *(_bytes(data), _into(strings), len(strings), _into(slots), len(slots), key),
        *(_into(numbers), _into(first)),
    )
    return numbers[1:], strings[first[:count]]


class Hashes:
    """Hashes by a secret of this process: 122 bits that stand for texts, and lists of these."""

    def __init__(self) -> None:
        self._keys = [_secret() % _KEY_LIMIT + 1 for _ in range(2)]

    def of_lists(
        self, batch: Batch, lists: Lists, is_text: NDArray[np.bool_]
    ) -> NDArray[np.uint64]:
        """uint64[2, lists], of lists of numbers; is_text: of items that are numbers of texts."""
        starts = np.ascontiguousarray(lists.starts, np.uint64)
        spans = np.ascontiguousarray(batch.spans)
        found = np.empty((2, len(lists)), np.uint64)
        for hashes, key in zip(found, self._keys, strict=True):
            texts = np.empty(len(spans), np.uint64)
            lib.pprof_hash_texts(_bytes(batch.data), _into(spans), len(spans), key, _into(texts))
            items = lists.items.astype(np.uint64)
            items[is_text] = texts[lists.items[is_text]]
            lib.pprof_hash_lists(_into(starts), _into(items), len(lists), key, _into(hashes))
        return found


def number_lists(lists: Lists) -> tuple[Lists, NDArray[np.uint32]]:
    """The distinct ones of some lists, in the order of first sight, and which of them each is."""
    starts = np.ascontiguousarray(lists.starts, np.uint64)
    items = np.ascontiguousarray(lists.items, np.uint32)
    kept = np.zeros(len(lists) + 1, np.uint64), np.empty(len(items), np.uint32)
    slots = np.zeros(_slots(len(lists)), np.uint32)
    known = ffi.new(
        "struct pprof_lists *",
        {
            "starts": _into(kept[0]),
            "items": _into(kept[1]),
            "slots": _into(slots),
            "slot_count": len(slots),
            "key": _secret() % _KEY_LIMIT + 1,
        },
    )
    numbers = np.empty(len(lists), np.uint32)
    lib.pprof_number_lists(_into(starts), _into(items), len(lists), known, _into(numbers))
    found = Lists(kept[0][: known.count + 1].astype(np.int64), kept[1][: known.used])
    return found, numbers


def _message(error: int, bad: int, max_depth: int) -> str:
    if error == lib.PPROF_DEEP:
        return f"a stack has more than {max_depth} frames"
    if error == lib.PPROF_NO_TYPES:
        return "not a pprof profile: it has no sample type"
    text = _CORRUPT.get(error)
    if text is None:
        return "not a pprof profile: its bytes are no message of protobuf"
    return f"corrupt pprof profile: {text.format(bad % (1 << 64))}"


_CORRUPT = {
    lib.PPROF_NO_LOCATION: "there is no location {}",
    lib.PPROF_NO_MAPPING: "there is no mapping {}",
    lib.PPROF_NO_FUNCTION: "there is no function {}",
    lib.PPROF_NO_STRING: "it names a string that is not there",
    lib.PPROF_FEW_VALUES: "a sample lacks a value",
    lib.PPROF_MANY_VALUES: "a sample has more values than types",
}


def _slots(rows: int) -> int:
    """A power of two that is at least twice as many."""
    return 1 << max(1, (2 * rows - 1).bit_length())


def _secret() -> int:
    return int.from_bytes(os.urandom(8), "little")


def _bytes(data: bytes) -> Any:
    return ffi.from_buffer("uint8_t[]", data)


def _into(array: NDArray[Any]) -> Any:
    return ffi.cast("void *", ffi.from_buffer(array)) if len(array) else ffi.NULL
