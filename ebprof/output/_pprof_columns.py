"""pprof.h for Python: a profile.proto message as arrays, which are bounded before they are made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.abi import dtype_of
from ebprof.errors import BadFileError
from ebprof.model import SAMPLE, Lists, Numbers

MAX_SAMPLES = 4_000_000
MAX_ROWS = 8_000_000
"""Of any other table: what fits into a file of 64 MiB and says anything has fewer."""
MAX_TYPES = 256
MAX_FRAMES = 65_536
"""Of one stack. A location has any number of lines, and a sample any number of times that one:
a file of 100 bytes may tell of a stack of millions of frames."""
MAX_TEXT = 2 << 30
"""Characters of all stacks together, if all were written out."""
MISSING = 0xFFFFFFFF
"""Where a table has no row of an ID."""

_TABLES = ("mappings", "locations", "lines", "functions", "strings", "comments", "labels")
_KEY_LIMIT = (1 << 61) - 2


@dataclass(frozen=True, slots=True)
class Header:
    """Numbers of a message, as it has them; those of types are (type, unit): strings."""

    drop_frames: int
    time_ns: int
    duration_ns: int
    period_type: tuple[int, int]
    period: int
    default_sample_type: int


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """All of a message but its samples; rows are the structs of pprof.h.

    strings: where they lie in data. roles: uint8[strings].
    """

    data: bytes
    sizes: Any
    header: Header
    types: Numbers
    mappings: Numbers
    functions: Numbers
    locations: Numbers
    lines: Numbers
    strings: Numbers
    roles: NDArray[np.uint8]
    comments: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RawSamples:
    """The samples of a message. rows: SAMPLE[n], whose strings are those of the message.

    stacks: lists of the message's locations. labels: uint32[n, PPROF_LABEL_WORDS].
    """

    rows: Numbers
    values: NDArray[np.int64]
    stacks: Lists
    labels: Numbers
    label_sets: Lists


def read_message(data: bytes) -> Message:
    """Read all but the samples; raises BadFileError where bytes are no message, or too much."""
    source = ffi.from_buffer("uint8_t[]", data)
    sizes = ffi.new("struct pprof_sizes *")
    _check(lib.pprof_measure(source, len(data), sizes), 0)
    _check_sizes(sizes)
    arrays = {
        name: np.empty(getattr(sizes, name), dtype_of(f"struct pprof_{name[:-1]}"))
        for name in ("types", "mappings", "functions", "locations", "lines", "strings")
    }
    arrays["roles"] = np.empty(sizes.strings, np.uint8)
    arrays["comments"] = np.empty(sizes.comments, np.int64)
    tables = ffi.new("struct pprof_tables *", {name: _into(one) for name, one in arrays.items()})
    _check(lib.pprof_read_tables(source, len(data), sizes, tables), 0)
    return Message(data=data, sizes=sizes, header=_header(tables.header), **arrays)


def _header(raw: Any) -> Header:
    return Header(
        raw.drop_frames,
        raw.time_nanos,
        raw.duration_nanos,
        (raw.period_type.type, raw.period_type.unit),
        raw.period,
        raw.default_sample_type,
    )


def read_samples(
    message: Message, frames: NDArray[np.uint32], text: NDArray[np.uint64]
) -> RawSamples:
    """Read the samples; frames, text: how many frames and characters each location has.

    Raises BadFileError where they do not fit to the tables, or are more than anybody reads.
    """
    sizes, types = message.sizes, len(message.types)
    if sizes.values < types * sizes.samples:
        raise _corrupt("a sample lacks a value")
    rows = np.empty(sizes.samples, SAMPLE)
    values = np.empty((sizes.samples, types), np.int64)
    stacks = _NewLists(sizes.samples, sizes.location_ids)
    labels = _NewLists(sizes.labels, lib.PPROF_LABEL_WORDS * sizes.labels)
    label_sets = _NewLists(sizes.samples + 1, sizes.labels)
    index = _Index(len(message.locations))
    out = ffi.new(
        "struct pprof_samples *",
        {
            "locations": _into(message.locations),
            "location_count": len(message.locations),
            "frames": _into(frames),
            "text": _into(text),
            "max_frames": MAX_FRAMES,
            "max_text": MAX_TEXT + 1,
            "roles": _into(message.roles),
            "string_count": len(message.strings),
            "type_count": types,
            "ids": index.ids[0],
            "stacks": stacks.lists[0],
            "labels": labels.lists[0],
            "label_sets": label_sets.lists[0],
            "rows": _into(rows),
            "values": _into(values),
        },
    )
    source = ffi.from_buffer("uint8_t[]", message.data)
    _check(lib.pprof_read_samples(source, len(message.data), sizes, out), out.bad)
    return RawSamples(
        rows[: out.count],
        values[: out.count],
        stacks.taken(out.stacks),
        labels.taken(out.labels).items.reshape(-1, lib.PPROF_LABEL_WORDS),
        label_sets.taken(out.label_sets),
    )


def resolve(ids: Numbers, refs: Numbers) -> NDArray[np.uint32]:
    """uint32[refs]: the row that has each ID, the last one of several, MISSING where none has."""
    numbers = np.empty(len(refs), np.uint32)
    of_rows, of_refs = (np.ascontiguousarray(one, np.uint64) for one in (ids, refs))
    index = _Index(len(ids))
    lib.pprof_resolve(
        _into(of_rows), len(ids), index.ids, _into(of_refs), len(refs), _into(numbers)
    )
    return numbers


def number_lists(lists: Lists) -> tuple[Lists, NDArray[np.uint32]]:
    """The distinct ones of some lists, and which of them each one is."""
    known = _NewLists(len(lists), len(lists.items))
    starts = np.ascontiguousarray(lists.starts, np.uint64)
    items = np.ascontiguousarray(lists.items, np.uint32)
    numbers = np.empty(len(lists), np.uint32)
    lib.pprof_number_lists(_into(starts), _into(items), len(lists), known.lists, _into(numbers))
    return known.taken(known.lists[0]), numbers


class _NewLists:
    """Room for lists, each once; `lists` is what C writes to."""

    def __init__(self, lists: int, items: int) -> None:
        self._starts = np.zeros(lists + 1, np.uint64)
        self._items = np.empty(items, np.uint32)
        self._slots = np.zeros(_slots(lists), np.uint32)
        self.lists = ffi.new(
            "struct pprof_lists *",
            {
                "starts": _into(self._starts),
                "items": _into(self._items),
                "slots": _into(self._slots),
                "slot_count": len(self._slots),
                "key": _secret() % _KEY_LIMIT + 1,
            },
        )

    def taken(self, lists: Any) -> Lists:
        """What was written; lists: the struct that says how much."""
        starts = self._starts[: lists.count + 1].astype(np.int64)
        return Lists(starts, self._items[: lists.used])


class _Index:
    """Room for an index of so many IDs; `ids` is what C writes to."""

    def __init__(self, rows: int) -> None:
        self._slots = np.zeros(_slots(rows), np.uint32)
        shift = 64 - (len(self._slots).bit_length() - 1)
        self.ids = ffi.new(
            "struct pprof_ids *",
            {"slots": _into(self._slots), "shift": shift, "key": _secret() | 1},
        )


def _slots(rows: int) -> int:
    """A power of two that is at least twice as many."""
    return 1 << max(1, (2 * rows - 1).bit_length())


def _secret() -> int:
    return int.from_bytes(os.urandom(8), "little")


def _into(array: NDArray[Any]) -> Any:
    return ffi.cast("void *", ffi.from_buffer(array)) if len(array) else ffi.NULL


def _check_sizes(sizes: Any) -> None:
    limits = {"samples": MAX_SAMPLES, "types": MAX_TYPES, **dict.fromkeys(_TABLES, MAX_ROWS)}
    for name, most in limits.items():
        if getattr(sizes, name) > most:
            what = "sample types" if name == "types" else name
            raise BadFileError(f"profile has more than {most:,} {what}")


def _check(error: int, bad: int) -> None:
    if error == lib.PPROF_OK:
        return
    if error == lib.PPROF_DEEP:
        raise BadFileError(f"profile has a stack of more than {MAX_FRAMES:,} frames")
    if error == lib.PPROF_LONG:
        raise BadFileError(f"profile has more than {MAX_TEXT >> 30} GiB of stacks")
    if error == lib.PPROF_NO_LOCATION:
        raise dangling("location", bad & ((1 << 64) - 1))
    if error == lib.PPROF_NO_STRING:
        raise dangling("string", bad)
    if error == lib.PPROF_FEW_VALUES:
        raise _corrupt("a sample lacks a value")
    if error == lib.PPROF_MANY_VALUES:
        raise _corrupt("a sample has more values than types")
    raise BadFileError("not a pprof profile: its bytes are no message of protobuf")


def dangling(kind: str, number: int) -> BadFileError:
    """The error for a reference to a row that a table does not have."""
    return _corrupt(f"there is no {kind} {number}")


def _corrupt(text: str) -> BadFileError:
    return BadFileError(f"corrupt pprof profile: {text}")
