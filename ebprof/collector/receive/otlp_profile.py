"""One profile of an export as pprof, with what it needs of the dictionary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ebprof.collector.profiles.batch import MAX_ITEMS
from ebprof.collector.receive.otlp_dictionary import Dictionary
from ebprof.collector.receive.refusals import RefusedError, TooLargeError
from ebprof.output._profile_proto import ProfileMessage
from ebprof.wire.otlp import EXECUTABLE, PID, STOP, THREAD

_MAX_INT64 = (1 << 63) - 1
_SAMPLES = ("samples", "count")
_NANOSECONDS = "nanoseconds"


def encode(profile: Any, dictionary: Dictionary) -> bytes:
    """A message of profile.proto; raises RefusedError.

    Samples that are only counted, at a period of so many nanoseconds, amount to time.
    """
    encoder = _Encoder(dictionary)
    encoder.add_header(profile)
    for sample in profile.samples:
        encoder.add_sample(sample)
    return encoder.finish()


class _Encoder:
    """A message under construction; IDs in it are indexes of the dictionary, plus one."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._message = ProfileMessage()
        self._strings: dict[str, int] = {"": 0}
        self._locations: set[int] = set()
        self._functions: set[int] = set()
        self._mappings: set[int] = set()
        self._items = 0
        self._period = 0

    def add_header(self, profile: Any) -> None:
        """What is counted, and when."""
        message, kind = self._message, self._kind(profile.sample_type)
        period_kind = self._kind(profile.period_type)
        self._add_kind(message.sample_type.add(), kind)
        is_time = kind == _SAMPLES and period_kind[1] == _NANOSECONDS and profile.period > 0
        if is_time:
            self._period = profile.period
            self._add_kind(message.sample_type.add(), period_kind)
        if period_kind[0]:
            self._add_kind(message.period_type, period_kind)
        message.period = max(profile.period, 0)
        message.time_nanos = min(profile.time_unix_nano, _MAX_INT64)
        message.duration_nanos = min(profile.duration_nano, _MAX_INT64)

    def add_sample(self, sample: Any) -> None:
        """A sample, and the locations of its stack."""
        value = _value(sample)
        stack = self._dictionary.stack(sample.stack_index)
        self._items += len(stack)
        if self._items > MAX_ITEMS:
            raise TooLargeError(f"a profile has more than {MAX_ITEMS:,} frames")
        values = [value, self._amount(value)] if self._period else [value]
        added = self._message.sample.add(location_id=[one + 1 for one in stack], value=values)
        for one in stack:
            if one not in self._locations:
                self._add_location(one)
        if sample.attribute_indices:
            self._add_labels(added, sample.attribute_indices)

    def finish(self) -> bytes:
        """The message."""
        self._message.string_table.extend(text.encode("utf-8", "replace") for text in self._strings)
        return bytes(self._message.SerializeToString())

    def _kind(self, kind: Any) -> tuple[str, str]:
        string = self._dictionary.string
        return string(kind.type_strindex), string(kind.unit_strindex)

    def _add_kind(self, message: Any, kind: tuple[str, str]) -> None:
        message.type, message.unit = map(self._string, kind)

    def _amount(self, value: int) -> int:
        amount = value * self._period
        if amount > _MAX_INT64:
            raise RefusedError("values are too large")
        return amount

    def _add_location(self, index: int) -> None:
        self._locations.add(index)
        found = self._dictionary.location(index)
        added = self._message.location.add(id=index + 1, address=found.address)
        for line in found.lines:
            added.line.add(function_id=line.function_index + 1, line=line.line)
            if line.function_index not in self._functions:
                self._add_function(line.function_index)
        if found.mapping_index:
            added.mapping_id = found.mapping_index + 1
            if found.mapping_index not in self._mappings:
                self._add_mapping(found.mapping_index)

    def _add_function(self, index: int) -> None:
        self._functions.add(index)
        found, string = self._dictionary.function(index), self._dictionary.string
        name, system_name = string(found.name_strindex), string(found.system_name_strindex)
        self._message.function.add(
            id=index + 1,
            name=self._string(name or system_name),
            system_name=self._string(system_name or name),
            filename=self._string(string(found.filename_strindex)),
        )

    def _add_mapping(self, index: int) -> None:
        self._mappings.add(index)
        found = self._dictionary.mapping(index)
        self._message.mapping.add(
            id=index + 1,
            memory_start=found.memory_start,
            memory_limit=found.memory_limit,
            file_offset=found.file_offset,
            filename=self._string(self._dictionary.string(found.filename_strindex)),
            build_id=self._string(self._dictionary.build_id(found)),
        )

    def _add_labels(self, added: Any, indices: Iterable[int]) -> None:
        """The sample's process, and why its stack ends, as readers of pprof know them."""
        found = {key: (text, number) for key, text, number in map(self._attribute, indices)}
        name, _ = found.get(EXECUTABLE) or found.get(THREAD) or ("", 0)
        if name:
            _, pid = found.get(PID, ("", 0))
            added.label.add(key=self._string("pid"), num=pid or 1)  # 0 is of no process
            added.label.add(key=self._string("comm"), str=self._string(name))
        if STOP in found:
            added.label.add(key=self._string("stop"), str=self._string(found[STOP][0]))

    def _attribute(self, index: int) -> tuple[str, str, int]:
        return self._dictionary.attribute(index)

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))


def _value(sample: Any) -> int:
    """What a sample counts: the sum of its values, or 1 for each time; raises RefusedError."""
    values, times = len(sample.values), len(sample.timestamps_unix_nano)
    if not values and not times:
        raise RefusedError(
            "a sample has neither values nor timestamps: the layout of opentelemetry-proto "
            "before 1.10 has them elsewhere"
        )
    if not values:
        return times
    if times and times != values:
        raise RefusedError("a sample has other numbers of values and of timestamps")
    found = sum(sample.values)
    if min(sample.values) < 0 or found > _MAX_INT64:
        raise RefusedError("a value is negative, or values are too large")
    return int(found)
