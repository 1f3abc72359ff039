"""Profile -> pprof bytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import Any

from ebprof.model import Frame, Location, Mapping, Profile, Sample
from ebprof.output._functions import distinct_locations, is_nameless
from ebprof.output._profile_proto import SLICES, TIME, TIME_UNIT, ProfileMessage
from ebprof.output._types import values_of

_COMPRESSION_LEVEL = 3  # 6 takes three times as long for files 10 % smaller
_COMM_LENGTH = 15  # what the kernel keeps of a command's name


def encode(profile: Profile) -> bytes:
    """The profile as a gzip-compressed profile.proto message."""
    encoder = _Encoder()
    encoder.add_header(profile)
    locations = distinct_locations(profile)
    encoder.add_mappings(_mappings(profile, locations))
    encoder.add_locations(locations)
    for sample in profile.samples:
        encoder.add_sample(sample, values_of(sample, profile))
    return gzip.compress(encoder.finish(), _COMPRESSION_LEVEL, mtime=0)


class _Encoder:
    """A message under construction; numbers already given are kept by value and by identity."""

    def __init__(self) -> None:
        self.message = ProfileMessage()
        self._strings: dict[str, int] = {"": 0}
        self._mappings: dict[Mapping, Any] = {}
        self._functions: dict[tuple[str, str, str], int] = {}
        self._labels: dict[tuple[int, int, str, str], Any] = {}
        self._by_value: dict[Location, int] = {}
        self._by_identity: dict[int, int] = {}

    def add_header(self, profile: Profile) -> None:
        message = self.message
        for kind in profile.types:
            self._set_type(message.sample_type.add(), *kind)
        if profile.shown < len(profile.sample_types) - 1:  # else the last one is shown
            message.default_sample_type = self._string(profile.subject.name)
        if profile.is_sampled or profile.event:
            self._set_type(message.period_type, profile.event, profile.unit)
        message.period = profile.period
        message.time_nanos = profile.time_ns
        message.duration_nanos = profile.duration_ns
        message.comment.extend(map(self._string, profile.comments))
        if profile.slice_ns:
            message.comment.append(self._string(SLICES.format(profile.slice_ns)))

    def add_mappings(self, mappings: list[Mapping]) -> None:
        for number, mapping in enumerate(mappings, 1):
            self._mappings[mapping] = self.message.mapping.add(
                id=number,
                memory_start=mapping.start,
                memory_limit=mapping.limit,
                file_offset=mapping.offset,
                filename=self._string(mapping.path),
                build_id=self._string(mapping.build_id),
            )

    def add_locations(self, locations: list[Location]) -> None:
        for location in locations:
            self._by_identity[id(location)] = self._location(location)

    def add_sample(self, sample: Sample, values: Iterable[int]) -> None:
        message = self.message.sample.add(value=values)
        message.location_id.extend(map(self._by_identity.__getitem__, map(id, sample.locations)))
        message.label.extend(self._labels_of(sample))
        if sample.time_ns is not None:
            key, unit = self._string(TIME), self._string(TIME_UNIT)
            message.label.add(key=key, num=sample.time_ns, num_unit=unit)

    def finish(self) -> bytes:
        strings = (text.encode("utf-8", "replace") for text in self._strings)
        self.message.string_table.extend(strings)
        return bytes(self.message.SerializeToString())

    def _labels_of(self, sample: Sample) -> Any:
        key = (sample.pid, sample.tid, sample.comm, sample.stop)
        labels = self._labels.get(key)
        if labels is None:
            labels = self._labels[key] = self._new_labels(sample)
        return labels

    def _new_labels(self, sample: Sample) -> Any:
        labels = ProfileMessage().sample.add().label
        labels.add(key=self._string("pid"), num=sample.pid)
        labels.add(key=self._string("tid"), num=sample.tid)
        for key, text in (("comm", sample.comm), ("stop", sample.stop)):
            if text:
                labels.add(key=self._string(key), str=self._string(text))
        return labels

    def _location(self, location: Location) -> int:
        number = self._by_value.get(location)
        if number is None:
            number = self._by_value[location] = len(self._by_value) + 1
            self._add_location(number, location)
        return number

    def _add_location(self, number: int, location: Location) -> None:
        message = self.message.location.add(id=number, address=location.address)
        for frame in location.frames:
            message.line.add(function_id=self._function(frame), line=frame.line)
        if location.mapping is not None:
            mapping = self._mappings[location.mapping]
            message.mapping_id = mapping.id
            _note_what_is_known(mapping, location)

    def _function(self, frame: Frame) -> int:
        key = (frame.function, frame.system_name, frame.file)
        number = self._functions.get(key)
        if number is None:
            number = self._functions[key] = len(self._functions) + 1
            name, system_name, filename = map(self._string, key)
            self.message.function.add(
                id=number, name=name, system_name=system_name or name, filename=filename
            )
        return number

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _set_type(self, message: Any, name: str, unit: str) -> None:
        message.type = self._string(name)
        message.unit = self._string(unit)


def _mappings(profile: Profile, locations: list[Location]) -> list[Mapping]:
    """Distinct mappings, what looks like the main binary first: pprof shows its name."""
    found = {one.mapping: None for one in locations if one.mapping is not None}
    comms = {sample.comm for sample in profile.samples}
    return sorted(found, key=lambda one: (one.is_kernel, one.name[:_COMM_LENGTH] not in comms))


def _note_what_is_known(mapping: Any, location: Location) -> None:
    for frame in location.frames:
        mapping.has_functions |= not is_nameless(frame.function)
        mapping.has_filenames |= bool(frame.file)
        mapping.has_line_numbers |= frame.line > 0
    mapping.has_inline_frames |= len(location.frames) > 1
