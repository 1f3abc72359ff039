"""pprof bytes -> Profile, for files of any writer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError

from ebprof.errors import BadFileError
from ebprof.model import (
    Frame,
    Location,
    Mapping,
    Profile,
    Sample,
    SampleType,
    no_samples,
    samples_of,
)
from ebprof.output._profile_proto import SLICES, TIME, TIME_UNIT, ProfileMessage
from ebprof.output._types import amounts, check_counts

MAX_SAMPLES = 4_000_000
MAX_FRAMES = 65_536
"""Of one stack. A location has any number of lines, and a sample any number of times that one:
a file of 100 bytes may tell of a stack of millions of frames."""
MAX_NAME = 16 << 10
"""Characters of a name that are read."""
MAX_TEXT = 2 << 30
"""Characters of all stacks together, if all were written out."""
_SLICES = re.compile(SLICES.format("([1-9][0-9]{0,17})"))


def is_profile(data: bytes) -> bool:
    """Whether bytes are a whole profile.proto message: they parse, and its types have names."""
    message = ProfileMessage()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return False
    strings = message.string_table
    return bool(message.sample_type and strings and not strings[0]) and all(
        0 <= number < len(strings) for one in message.sample_type for number in (one.type, one.unit)
    )


def decode(data: bytes) -> Profile:
    """The profile that a serialized profile.proto message holds; raises BadFileError.

    The values shown are those that pprof shows: of the default sample type, else of the last.
    Where a profile has samples and what they amount to, and no more, the samples are.
    """
    message = ProfileMessage()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise BadFileError(f"not a pprof profile: {error}") from None
    if not message.sample_type or not message.string_table:
        raise BadFileError("not a pprof profile: it has no sample type")
    if len(message.sample) > MAX_SAMPLES:
        raise BadFileError(f"profile has more than {MAX_SAMPLES:,} samples")
    return _Decoder(message).profile()


class _Size(NamedTuple):
    """Frames of a location, and the characters of their names."""

    frames: int
    text: int


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
        self._sizes = {
            number: _Size(len(one.frames), sum(len(frame.function) for frame in one.frames))
            for number, one in self._locations.items()
        }
        self._text = 0
        self._comm = self._mappings[message.mapping[0].id].name if message.mapping else ""

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
        samples = [self._sample(one, found, whole) for one, found in pairs if any(found)]
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
        try:
            locations = tuple([self._locations[number] for number in message.location_id])
        except KeyError as error:
            raise _dangling("location", error) from None
        self._check_size(message.location_id)
        numbers, texts = self._labels(message)
        comm = texts.get("comm", "" if "pid" in numbers else self._comm)
        pid = numbers.get("pid", 0)
        tid, stop, time = numbers.get("tid", pid), texts.get("stop", ""), self._time(message)
        count = values[profile.shown]
        kept = () if profile.is_sampled else values
        return Sample(pid, tid, comm, locations, stop, count, time, kept)

    def _time(self, message: Any) -> int | None:
        """When it was taken, if it is we who wrote it: others have labels of that name too."""
        for label in message.label:
            if label.num_unit and label.num >= 0 and self._is_time(label):
                return int(label.num)
        return None

    def _is_time(self, label: Any) -> bool:
        return (self._string(label.key), self._string(label.num_unit)) == (TIME, TIME_UNIT)

    def _check_size(self, location_ids: Any) -> None:
        """Raises BadFileError when a stack, or all up to here, are more than anybody reads."""
        sizes = [self._sizes[number] for number in location_ids]
        if sum(size.frames for size in sizes) > MAX_FRAMES:
            raise BadFileError(f"profile has a stack of more than {MAX_FRAMES:,} frames")
        self._text += sum(size.text for size in sizes)
        if self._text > MAX_TEXT:
            raise BadFileError(f"profile has more than {MAX_TEXT >> 30} GiB of stacks")

    def _labels(self, message: Any) -> tuple[dict[str, int], dict[str, str]]:
        numbers: dict[str, int] = {}
        texts: dict[str, str] = {}
        for label in message.label:
            if label.str:
                texts[self._string(label.key)] = self._string(label.str)
            else:
                numbers[self._string(label.key)] = label.num
        return numbers, texts

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
