"""Profile -> pprof bytes."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.model import NONE, TARGET, Label, Lists, Profile, Samples, fact, first_seen
from ebprof.output._functions import is_nameless
from ebprof.output._owners import owned
from ebprof.output._pprof_slices import SLICES, TIME, TIME_UNIT
from ebprof.output._profile_proto import ProfileMessage
from ebprof.output._types import values_of

SEVERAL = "several programs"
_COMPRESSION_LEVEL = 3  # 6 takes three times as long for files 10 % smaller
_COMM_LENGTH = 15  # what the kernel keeps of a command's name


def encode(profile: Profile) -> bytes:
    """The profile as a gzip-compressed profile.proto message."""
    encoder = _Encoder(profile.samples)
    encoder.add_header(profile)
    encoder.add_mappings(_several(profile))
    encoder.add_locations()
    encoder.add_samples(values_of(profile))
    return gzip.compress(encoder.finish(), _COMPRESSION_LEVEL, mtime=0)


def _several(profile: Profile) -> str:
    """What was sampled, where it was more than one program; else empty."""
    programs = {one.name for one in owned(profile.samples, "process").owners}
    return (fact(profile, TARGET) or SEVERAL) if len(programs) > 1 else ""


class _Encoder:
    """A message under construction; numbers already given are kept by value and by identity."""

    def __init__(self, samples: Samples) -> None:
        self.message = ProfileMessage()
        self._samples = samples
        self._tables = samples.tables
        self._locations = samples.locations
        self._strings: dict[str, int] = {"": 0}
        self._mappings: dict[int, Any] = {}
        self._functions: dict[int, int] = {}
        self._labels: dict[tuple[int, ...], Any] = {}

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

    def add_mappings(self, several: str) -> None:
        """Add mappings; several: what stands for the main binary where several programs ran."""
        if several:
            self.message.mapping.add(id=1, filename=self._string(several), has_functions=True)
        for number in self._mappings_in_order():
            mapping = self._tables.mapping_values[number]
            self._mappings[number] = self.message.mapping.add(
                id=len(self.message.mapping) + 1,
                memory_start=mapping.start,
                memory_limit=mapping.limit,
                file_offset=mapping.offset,
                filename=self._string(mapping.path),
                build_id=self._string(mapping.build_id),
            )

    def add_locations(self) -> None:
        tables = self._tables
        rows, found = tables.locations[self._locations].tolist(), tables.frames.tolist()
        inner = tables.location_frames.take(self._locations).values()
        for number, ((address, mapping), frames) in enumerate(zip(rows, inner, strict=True), 1):
            message = self.message.location.add(id=number, address=address)
            for function, line in map(found.__getitem__, frames):
                message.line.add(function_id=self._function(function), line=line)
            if mapping != NONE:
                message.mapping_id = self._mappings[mapping].id
                self._note_what_is_known(self._mappings[mapping], frames)

    def add_samples(self, values: NDArray[np.int64]) -> None:
        """Add all samples, with a value for each sample type."""
        stacks, rows = self._stacks(), self._samples.rows.tolist()
        add = self.message.sample.add
        for (pid, tid, time_ns, stack, comm, stop, labels), found in zip(
            rows, values.tolist(), strict=True
        ):
            message = add(location_id=stacks[stack], value=found)
            message.label.extend(self._labels_of((pid, tid, comm, stop, labels)))
            if time_ns != NONE:
                key, unit = self._string(TIME), self._string(TIME_UNIT)
                message.label.add(key=key, num=time_ns, num_unit=unit)

    def _stacks(self) -> dict[int, list[int]]:
        """Ids of the locations of each stack that samples have."""
        ids = np.zeros(len(self._tables.locations), np.int64)
        ids[self._locations] = np.arange(1, len(self._locations) + 1)
        stacks = self._samples.stacks
        lists = self._tables.stacks.take(stacks)
        found = Lists(lists.starts, ids[lists.items]).values()
        return dict(zip(stacks.tolist(), found, strict=True))

    def finish(self) -> bytes:
        strings = (text.encode("utf-8", "replace") for text in self._strings)
        self.message.string_table.extend(strings)
        return bytes(self.message.SerializeToString())

    def _labels_of(self, key: tuple[int, int, int, int, int]) -> Any:
        found = self._labels.get(key)
        if found is None:
            found = self._labels[key] = self._new_labels(*key)
        return found

    def _new_labels(self, pid: int, tid: int, comm: int, stop: int, labels: int) -> Any:
        found = ProfileMessage().sample.add().label
        for one in self._tables.label_values[labels]:
            self._add_label(found, one)
        found.add(key=self._string("pid"), num=pid)
        found.add(key=self._string("tid"), num=tid)
        for key, number in (("comm", comm), ("stop", stop)):
            if text := self._tables.strings[number]:
                found.add(key=self._string(key), str=self._string(text))
        return found

    def _add_label(self, found: Any, label: Label) -> None:
        message = found.add(key=self._string(label.key))
        if label.text:
            message.str = self._string(label.text)
        else:
            message.num, message.num_unit = label.number, self._string(label.unit)

    def _function(self, number: int) -> int:
        known = self._functions.get(number)
        if known is None:
            known = self._functions[number] = len(self._functions) + 1
            self._add_function(known, *self._tables.functions[number].tolist())
        return known

    def _add_function(self, number: int, name: int, system_name: int, file: int) -> None:
        text = self._tables.strings
        self.message.function.add(
            id=number,
            name=self._string(text[name]),
            system_name=self._string(text[system_name] or text[name]),
            filename=self._string(text[file]),
        )

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _set_type(self, message: Any, name: str, unit: str) -> None:
        message.type = self._string(name)
        message.unit = self._string(unit)

    def _mappings_in_order(self) -> list[int]:
        """Mappings that locations lie in, the likely main binary first: pprof shows its name."""
        used = self._tables.locations["mapping"][self._locations]
        found = first_seen(used[used != NONE], len(self._tables.mappings)).tolist()
        comms, known = self._samples.comms, self._tables.mapping_values
        return sorted(
            found,
            key=lambda one: (known[one].is_kernel, known[one].name[:_COMM_LENGTH] not in comms),
        )

    def _note_what_is_known(self, mapping: Any, frames: list[int]) -> None:
        for frame in map(self._tables.frame_values.__getitem__, frames):
            mapping.has_functions |= not is_nameless(frame.function)
            mapping.has_filenames |= bool(frame.file)
            mapping.has_line_numbers |= frame.line > 0
        mapping.has_inline_frames |= len(frames) > 1
