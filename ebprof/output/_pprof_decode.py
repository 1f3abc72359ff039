"""pprof bytes -> Profile, for files of any writer: tables and samples by the column."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.errors import BadFileError
from ebprof.model import (
    FRAME,
    FUNCTION,
    LABEL,
    LOCATION,
    MAPPING,
    NONE,
    Lists,
    Numbers,
    Profile,
    Samples,
    SampleType,
    Tables,
    distinct,
    grouped,
)
from ebprof.output._pprof_columns import (
    MISSING,
    Message,
    RawSamples,
    dangling,
    number_lists,
    read_message,
    read_samples,
    resolve,
)
from ebprof.output._pprof_slices import SLICES
from ebprof.output._types import amounts, check_counts

MAX_NAME = 16 << 10
"""Characters of a name that are read."""
_LONGEST_CHARACTER = 4
_SLICES = re.compile(SLICES.format("([1-9][0-9]{0,17})"))


def is_profile(data: bytes) -> bool:
    """Whether bytes are a whole profile.proto message: they parse, and its types have names."""
    try:
        message = read_message(data)
    except BadFileError:
        return False
    names = np.concatenate([message.types["type"], message.types["unit"]])
    if not len(names) or not len(message.strings) or message.strings["size"][0]:
        return False
    return bool(((names >= 0) & (names < len(message.strings))).all())


def decode(data: bytes) -> Profile:
    """The profile that a serialized profile.proto message holds; raises BadFileError.

    The values shown are those that pprof shows: of the default sample type, else of the last.
    Where a profile has samples and what they amount to, and no more, the samples are.
    """
    message = read_message(data)
    if not len(message.types) or not len(message.strings):
        raise BadFileError("not a pprof profile: it has no sample type")
    strings = _Strings(message)
    head, types = _header(message, strings)
    places = _places(message, strings)
    raw = read_samples(message, *places.weights(strings))
    shown = _shown(message, strings, types)
    if _is_sampled(head, types, message, raw.values):
        counts, values = raw.values[:, 0], raw.values[:, :0]
    else:
        head = replace(head, sample_types=types, shown=shown)
        counts, values = raw.values[:, shown], raw.values
    rows = raw.rows
    stacks, rows["stack"] = _renumbered(raw.stacks, places.numbers, rows["stack"])
    labels, numbers = _labels(raw, strings)
    label_sets, rows["labels"] = _renumbered(raw.label_sets, numbers, rows["labels"])
    _name(rows, message, strings)
    tables = Tables(
        strings.texts,
        places.mappings,
        places.functions,
        places.frames,
        places.locations,
        places.location_frames,
        stacks,
        labels,
        label_sets,
    )
    return check_counts(replace(head, samples=Samples(tables, rows, counts, values)))


class _Strings:
    """Those strings of a message that are named, each once; the first one is empty."""

    def __init__(self, message: Message) -> None:
        self.texts = [""]
        self._message = message
        self._numbers = {"": 0}
        self._known = np.full(len(message.strings), NONE)

    def number(self, text: str) -> int:
        """The number of a text of our own."""
        number = self._numbers.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number

    def numbers(self, refs: Numbers) -> NDArray[np.int64]:
        """Numbers of the message's strings; raises BadFileError where there is none."""
        refs = refs.astype(np.int64)
        bad = refs[(refs < 0) | (refs >= len(self._known))]
        if len(bad):
            raise dangling("string", int(bad[0]))
        for one in distinct(refs[self._known[refs] == NONE]).tolist():
            self._known[one] = self.number(self._text(one))
        return self._known[refs]

    def text(self, ref: int) -> str:
        """One of the message's strings."""
        return self.texts[int(self.numbers(np.array([ref]))[0])]

    def _text(self, ref: int) -> str:
        start, size = self._message.strings[ref].tolist()
        data = self._message.data[start : start + min(size, MAX_NAME * _LONGEST_CHARACTER)]
        return data.decode("utf-8", "replace")[:MAX_NAME]


# ---- the header -------------------------------------------------------------------------------


def _header(message: Message, strings: _Strings) -> tuple[Profile, tuple[SampleType, ...]]:
    """A profile without samples, and the types of its values."""
    header = message.header
    types = tuple(
        SampleType(strings.text(kind), strings.text(unit)) for kind, unit in message.types.tolist()
    )
    event = SampleType(*map(strings.text, header.period_type))
    event = event if event.name else types[_shown(message, strings, types)]
    numbers = strings.numbers(message.comments).tolist()
    comments = tuple(strings.texts[one] for one in numbers)
    warnings = ("frames that the profile asks to hide (drop_frames) are shown",)
    return (
        Profile(
            event=event.name,
            unit=event.unit,
            period=max(0, header.period),
            time_ns=max(0, header.time_ns),
            duration_ns=max(0, header.duration_ns),
            comments=tuple(one for one in comments if not _SLICES.fullmatch(one)),
            slice_ns=max(map(_slice_ns, comments), default=0),
            warnings=warnings if strings.text(header.drop_frames) else (),
        ),
        types,
    )


def _shown(message: Message, strings: _Strings, types: tuple[SampleType, ...]) -> int:
    default = strings.text(message.header.default_sample_type)
    names = [one.name for one in types]
    return names.index(default) if default in names else len(types) - 1


def _slice_ns(comment: str) -> int:
    """The length of slices that a comment tells of, 0 if it is another one."""
    match = _SLICES.fullmatch(comment)
    return int(match[1]) if match else 0


def _is_sampled(
    head: Profile, types: tuple[SampleType, ...], message: Message, values: NDArray[np.int64]
) -> bool:
    """Whether a profile of samples, without types of its own, would be written just so."""
    if types != head.types or message.header.default_sample_type:
        return False
    return bool((values == amounts(values[:, 0], head.period)).all())


# ---- locations --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Tables of a profile's locations; numbers: which one each of the message's locations is."""

    mappings: Numbers
    functions: Numbers
    frames: Numbers
    locations: Numbers
    location_frames: Lists
    numbers: NDArray[np.int64]

    def weights(self, strings: _Strings) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
        """Of each of the message's locations, its frames, and the characters of their names."""
        lengths = np.fromiter(map(len, strings.texts), np.int64, len(strings.texts))
        text = self.location_frames.sums(lengths[self.functions["name"]][self.frames["function"]])
        frames = self.location_frames.lengths.astype(np.uint32)
        return frames[self.numbers], text.astype(np.uint64)[self.numbers]


@dataclass(slots=True, eq=False)
class _Frames:
    """Frames of all locations, one behind the other; starts: int64[locations + 1]."""

    starts: NDArray[np.int64]
    name: NDArray[np.int64]
    system_name: NDArray[np.int64]
    file: NDArray[np.int64]
    line: NDArray[np.int64]


def _places(message: Message, strings: _Strings) -> _Places:
    mappings, mapping_numbers = _mappings(message, strings)
    mapping = _mapping_of(message, mapping_numbers)
    found = _frames(message, strings)
    _name_nameless(found, _Nameless(message, strings, mappings, mapping))
    functions = grouped(found.name, found.system_name, found.file)
    frames = grouped(functions.of_row, found.line)
    lists, inner = number_lists(Lists(found.starts, frames.of_row.astype(np.uint32)))
    address = message.locations["address"]
    places = grouped(address, mapping, inner)
    return _Places(
        mappings,
        _columns(FUNCTION, found, functions.first),
        _rows(FRAME, function=functions.of_row[frames.first], line=found.line[frames.first]),
        _rows(LOCATION, address=address[places.first], mapping=mapping[places.first]),
        lists.take(inner[places.first]),
        places.of_row,
    )


def _mappings(message: Message, strings: _Strings) -> tuple[Numbers, NDArray[np.int64]]:
    """MAPPING[n], and the number of each of the message's mappings."""
    raw = message.mappings
    found = _rows(
        MAPPING,
        path=strings.numbers(raw["filename"]),
        build_id=strings.numbers(raw["build_id"]),
        start=raw["start"],
        limit=raw["limit"],
        offset=raw["offset"],
    )
    groups = grouped(*(found[name] for name in MAPPING.names or ()))
    return found[groups.first], groups.of_row


def _mapping_of(message: Message, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The mapping of each location, or NONE."""
    refs = message.locations["mapping_id"]
    rows = _resolved("mapping", message.mappings["id"], refs)
    return np.append(numbers, NONE)[rows]


def _resolved(kind: str, ids: Numbers, refs: Numbers) -> NDArray[np.int64]:
    """The row of each reference, that behind the last one for a reference of 0."""
    rows = resolve(ids, refs).astype(np.int64)
    bad = refs[(rows == MISSING) & (refs != 0)]
    if len(bad):
        raise dangling(kind, int(bad[0]))
    rows[refs == 0] = len(ids)
    return rows


def _frames(message: Message, strings: _Strings) -> _Frames:
    """Frames as lines have them; a location without any gets one that is not named yet."""
    columns = [strings.numbers(message.functions[name]) for name in _FUNCTION_TEXTS]
    name, system_name, file = (np.append(column, 0) for column in columns)
    rows = _resolved("function", message.functions["id"], message.lines["function_id"])
    ends = message.locations["lines_end"].astype(np.int64)
    lines = np.diff(ends, prepend=0)
    starts = np.append(0, np.cumsum(np.maximum(lines, 1)))
    place = np.repeat(starts[:-1] - (ends - lines), lines) + np.arange(len(rows))
    found = _Frames(starts, *(np.zeros(int(starts[-1]), np.int64) for _ in range(4)))
    is_other = (system_name != name) & (name != 0)
    found.name[place] = np.where(name == 0, system_name, name)[rows]
    found.system_name[place] = np.where(is_other, system_name, 0)[rows]
    found.file[place] = file[rows]
    found.line[place] = np.maximum(message.lines["line"], 0)
    return found


_FUNCTION_TEXTS = ("name", "system_name", "filename")


class _Nameless:
    """What stands for the name of code at an address that has none: `[module]+0xoffset`."""

    def __init__(
        self, message: Message, strings: _Strings, mappings: Numbers, mapping: NDArray[np.int64]
    ) -> None:
        self._strings = strings
        self._addresses: list[int] = message.locations["address"].tolist()
        self._mapping: list[int] = mapping.tolist()
        self._modules = [
            (strings.texts[path].rsplit("/", 1)[-1] or strings.texts[path], offset - start)
            for path, _, start, _, offset in mappings.tolist()
        ]

    def number(self, location: int) -> int:
        """The string for a location."""
        address, mapping = self._addresses[location], self._mapping[location]
        module, moved = ("unknown", 0) if mapping == NONE else self._modules[mapping]
        return self._strings.number(f"[{module}]+{max(0, address + moved):#x}")


def _name_nameless(found: _Frames, nameless: _Nameless) -> None:
    unnamed = np.flatnonzero(found.name == 0)
    locations = np.searchsorted(found.starts, unnamed, "right") - 1
    found.name[unnamed] = [nameless.number(one) for one in locations.tolist()]


def _columns(dtype: Any, found: _Frames, chosen: Numbers) -> Numbers:
    return _rows(dtype, **{name: getattr(found, name)[chosen] for name in dtype.names})


def _rows(dtype: Any, **columns: Numbers) -> Numbers:
    """Rows of a dtype from a column for each of its fields."""
    rows = np.empty(len(next(iter(columns.values()))), dtype)
    for name, column in columns.items():
        rows[name] = column
    return rows


# ---- samples ----------------------------------------------------------------------------------


def _name(rows: Numbers, message: Message, strings: _Strings) -> None:
    """Give samples the strings of the profile in place of the message's."""
    comm, stop = rows["comm"].astype(np.int64), rows["stop"].astype(np.int64)
    is_named = comm < lib.PPROF_MAIN_COMM
    path = strings.text(int(message.mappings["filename"][0])) if len(message.mappings) else ""
    rows["comm"][comm == lib.PPROF_MAIN_COMM] = strings.number(path.rsplit("/", 1)[-1] or path)
    rows["comm"][comm == lib.PPROF_NO_COMM] = 0
    rows["comm"][is_named] = strings.numbers(comm[is_named])
    is_stopped = stop != lib.PPROF_NO_STOP
    rows["stop"][~is_stopped] = 0
    rows["stop"][is_stopped] = strings.numbers(stop[is_stopped])


def _labels(raw: RawSamples, strings: _Strings) -> tuple[Numbers, NDArray[np.int64]]:
    """LABEL[n], and the number of each of the message's labels."""
    key, text, unit, low, high = raw.labels.T.astype(np.int64)
    found = _rows(
        LABEL,
        key=strings.numbers(key),
        text=strings.numbers(text),
        unit=strings.numbers(unit),
        number=low | high << 32,
    )
    groups = grouped(*(found[name] for name in LABEL.names or ()))
    return found[groups.first], groups.of_row


def _renumbered(lists: Lists, numbers: NDArray[np.int64], refs: Numbers) -> tuple[Lists, Numbers]:
    """Lists with other numbers for their items, each once; refs: numbers of lists, which change."""
    if (numbers == np.arange(len(numbers))).all():  # as a rule: nothing was there twice
        return lists, refs
    items = numbers[lists.items].astype(np.uint32)
    once, found = number_lists(Lists(lists.starts, items))
    return once, found[refs]
