"""pprof bytes -> Profile by the protobuf library, message by message: for comparison."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from ebprof.errors import BadFileError
from ebprof.model import (
    Frame,
    Label,
    Location,
    Mapping,
    Profile,
    Sample,
    SampleType,
    no_samples,
    samples_of,
)
from ebprof.output._pprof_decode import MAX_NAME
from ebprof.output._pprof_slices import SLICES, TIME, TIME_UNIT
from ebprof.output._profile_proto import ProfileMessage
from ebprof.output._types import amounts, check_counts

_SLICES = re.compile(SLICES.format("([1-9][0-9]{0,17})"))


def decode(data: bytes) -> Profile:
    """What `_pprof_decode.decode` gives, or the same error; there are no limits."""
    message = ProfileMessage()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise BadFileError(f"not a pprof profile: {error}") from None
    if not message.sample_type or not message.string_table:
        raise BadFileError("not a pprof profile: it has no sample type")
    return _Decoder(message).profile()


class _Decoder:
    """A message and what its numbers stand for."""

    def __init__(self, message: Any) -> None:
        self._message = message
        self._strings: list[str] = [
            text.decode("utf-8", "replace")[:MAX_NAME] for text in message.string_table
        ]
        self._mappings = {one.id: self._mapping(one) for one in message.mapping}
        self._functions = {one.id: self._function(one) for one in message.function}
        self._locations = {one.id: self._location(one) for one in message.location}
        self._comm = self._mapping(message.mapping[0]).name if message.mapping else ""

    def profile(self) -> Profile:
        message = self._message
        types = tuple(map(self._type, message.sample_type))
        shown = self._shown(types)
        event = self._type(message.period_type)
        comments = tuple(map(self._string, message.comment))
        whole = Profile(
            no_samples(),
            *(event if event.name else types[shown]),
            max(0, message.period),
            max(0, message.time_nanos),
            max(0, message.duration_nanos),
            tuple(one for one in comments if not _SLICES.fullmatch(one)),
            max(map(_slice_ns, comments), default=0),
            warnings=self._warnings(),
        )
        values = [tuple(one.value) for one in message.sample]
        _check(values, types)
        if not self._is_sampled(whole, types, values):
            whole = replace(whole, sample_types=types, shown=shown)
        pairs = zip(message.sample, values, strict=True)
        try:
            every = [(self._sample(one, found, whole), found) for one, found in pairs]
        except KeyError as error:
            raise _dangling("location", error) from None
        samples = [one for one, found in every if any(found)]
        return check_counts(replace(whole, samples=samples_of(samples)))

    def _type(self, message: Any) -> SampleType:
        return SampleType(self._string(message.type), self._string(message.unit))

    def _shown(self, types: tuple[SampleType, ...]) -> int:
        default = self._string(self._message.default_sample_type)
        names = [one.name for one in types]
        return names.index(default) if default in names else len(types) - 1

    def _warnings(self) -> tuple[str, ...]:
        if not self._string(self._message.drop_frames):
            return ()
        return ("frames that the profile asks to hide (drop_frames) are shown",)

    def _is_sampled(
        self, profile: Profile, types: tuple[SampleType, ...], values: list[tuple[int, ...]]
    ) -> bool:
        """Whether a profile of samples, without types of its own, would be written just so."""
        if types != profile.types or self._message.default_sample_type:
            return False
        array = np.array(values, np.int64).reshape(len(values), len(types))
        return bool((array == amounts(array[:, 0], profile.period)).all())

    def _sample(self, message: Any, values: tuple[int, ...], profile: Profile) -> Sample:
        locations = tuple(self._locations[number] for number in message.location_id)
        columns, others = self._labels(message)
        pid = columns.get("pid", 0)
        return Sample(
            pid,
            columns.get("tid", pid),
            columns.get("comm", "" if "pid" in columns else self._comm),
            locations,
            columns.get("stop", ""),
            values[profile.shown],
            columns.get(TIME),
            () if profile.is_sampled else values,
            others,
        )

    def _labels(self, message: Any) -> tuple[dict[str, Any], tuple[Label, ...]]:
        """Those that are columns, by their keys, and the others."""
        columns: dict[str, Any] = {}
        others: list[Label] = []
        for one in message.label:
            key, text, unit = map(self._string, (one.key, one.str, one.num_unit))
            if key in ("pid", "tid") and not one.str:
                columns[key] = one.num
            elif key in ("comm", "stop") and one.str:
                columns[key] = text
            elif key == TIME and unit == TIME_UNIT and one.num >= 0 and not one.str:
                columns[key] = one.num
            else:
                others.append(Label(key, text, one.num, unit))
        return columns, tuple(others)

    def _mapping(self, message: Any) -> Mapping:
        return Mapping(
            self._string(message.filename),
            self._string(message.build_id),
            message.memory_start,
            message.memory_limit,
            message.file_offset,
        )

    def _function(self, message: Any) -> tuple[str, str, str]:
        name, system_name = self._string(message.name), self._string(message.system_name)
        file = self._string(message.filename)
        return name or system_name, file, system_name if system_name != name and name else ""

    def _location(self, message: Any) -> Location:
        try:
            mapping = self._mappings[message.mapping_id] if message.mapping_id else None
        except KeyError as error:
            raise _dangling("mapping", error) from None
        nameless = _nameless(message.address, mapping)
        frames = [self._frame(line, nameless) for line in message.line]
        return Location(message.address, mapping, tuple(frames) or (Frame(nameless),))

    def _frame(self, line: Any, nameless: str) -> Frame:
        if not line.function_id:
            return Frame(nameless, "", max(0, line.line))
        try:
            name, file, system_name = self._functions[line.function_id]
        except KeyError as error:
            raise _dangling("function", error) from None
        return Frame(name or nameless, file, max(0, line.line), system_name)

    def _string(self, number: int) -> str:
        if not 0 <= number < len(self._strings):
            raise _dangling("string", KeyError(number))
        return self._strings[number]


def _check(values: list[tuple[int, ...]], types: tuple[SampleType, ...]) -> None:
    """Raises BadFileError where samples do not have one value for each type."""
    for one in values:
        if len(one) < len(types):
            raise BadFileError("corrupt pprof profile: a sample lacks a value")
        if len(one) > len(types):
            raise BadFileError("corrupt pprof profile: a sample has more values than types")


def _slice_ns(comment: str) -> int:
    """The length of slices that a comment tells of, 0 if it is another one."""
    match = _SLICES.fullmatch(comment)
    return int(match[1]) if match else 0


def _nameless(address: int, mapping: Mapping | None) -> str:
    if mapping is None:
        return f"[unknown]+{address:#x}"
    return f"[{mapping.name}]+{max(0, address - mapping.start + mapping.offset):#x}"


def _dangling(kind: str, error: KeyError) -> BadFileError:
    return BadFileError(f"corrupt pprof profile: there is no {kind} {error.args[0]}")
