"""OpenTelemetry's profiles, for its collector and what takes them behind it: OTLP by HTTP.

Source: github.com/open-telemetry/opentelemetry-proto, profiles/v1development, 1.10 and later.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from ebprof.agent.encoding import Encoder
from ebprof.agent.kinds import EXPORTS, Kind
from ebprof.agent.pushes import MAX_SERIES, MAX_STACKS, Push, parts
from ebprof.agent.sender import packed
from ebprof.agent.series import Series
from ebprof.model import NONE, Profile, SampleType, Tables
from ebprof.output._types import values_of
from ebprof.wire.otlp import (
    BUILD_ID_GNU,
    BUILD_ID_HASH,
    HASH_PREFIX,
    LABELS,
    STOP,
    ExportRequest,
)

KINDS: tuple[Kind, ...] = (EXPORTS,)
NAMES_ADDRESSES = False

_PRIVATE = "__"
_TABLES = ("mapping", "location", "function", "link", "attribute", "stack")


def pushes(series: Iterable[Series], encoder: Encoder) -> Iterator[Push]:
    """Exports, each with a dictionary of its own."""
    export = _Export()
    for one in series:
        for part in parts(one.profile):
            if export.is_full(len(part.samples)):
                yield export.push()
                export = _Export()
            export.add(one.labels, part)
    if export.stacks:
        yield export.push()


class _Export:
    """A request under construction. stacks: samples in it."""

    def __init__(self) -> None:
        self._message = ExportRequest()
        self._dictionary = self._message.dictionary
        for name in _TABLES:
            getattr(self._dictionary, f"{name}_table").add()  # the first one stands for none
        self._dictionary.string_table.append("")
        self._strings: dict[str, int] = {"": 0}
        self._stops: dict[str, int] = {"": 0}
        self._of_tables: dict[int, _OfTables] = {}
        self._samples = 0
        self.stacks = 0

    def is_full(self, stacks: int) -> bool:
        """Whether there is no room for so many more."""
        is_full = len(self._message.resource_profiles) >= MAX_SERIES
        return bool(self.stacks) and (is_full or self.stacks + stacks > MAX_STACKS)

    def add(self, labels: Iterable[tuple[str, str]], profile: Profile) -> None:
        """A series: a profile for each of its types, but one for samples and their time."""
        of = self._message.resource_profiles.add()
        for name, value in labels:
            if not name.startswith(_PRIVATE):
                attribute = of.resource.attributes.add(key=LABELS.get(name, name))
                attribute.value.string_value = _valid(value)
        profiles = of.scope_profiles.add().profiles
        kinds = profile.types[:1] if profile.is_sampled else profile.types
        for column, kind in enumerate(kinds):
            self._add_profile(profiles.add(profile_id=uuid.uuid4().bytes), profile, kind, column)
        self.stacks += len(profile.samples)
        self._samples += profile.total if profile.is_sampled else 0

    def push(self) -> Push:
        """What was added."""
        return Push(packed(self._message), self._samples, EXPORTS)

    def _add_profile(self, message: Any, profile: Profile, kind: SampleType, column: int) -> None:
        self._set_kind(message.sample_type, kind)
        message.time_unix_nano = profile.time_ns
        message.duration_nano = profile.duration_ns
        if profile.is_sampled and profile.period:
            self._set_kind(message.period_type, profile.types[-1])
            message.period = profile.period
        samples = profile.samples
        tables = self._of(samples.tables)
        strings = samples.tables.strings
        columns = samples.rows["stack"].tolist(), samples.rows["stop"].tolist()
        values = values_of(profile)[:, column].tolist()
        for stack, stop, value in zip(*columns, values, strict=True):
            added = message.samples.add(stack_index=tables.stack(stack), values=[value])
            if stop:
                added.attribute_indices.append(self._stop(strings[stop]))

    def _set_kind(self, message: Any, kind: SampleType) -> None:
        message.type_strindex, message.unit_strindex = map(self.string, kind)

    def _of(self, tables: Tables) -> _OfTables:
        """What is known of some tables: series of a window share theirs."""
        found = self._of_tables.get(id(tables))
        if found is None:
            found = self._of_tables[id(tables)] = _OfTables(self, self._dictionary, tables)
        return found

    def _stop(self, reason: str) -> int:
        known = self._stops.get(reason)
        if known is None:
            known = self._stops[reason] = self.attribute(STOP, reason)
        return known

    def attribute(self, key: str, value: str) -> int:
        """The index of a new attribute."""
        added = self._dictionary.attribute_table.add(key_strindex=self.string(key))
        added.value.string_value = _valid(value)
        return len(self._dictionary.attribute_table) - 1

    def string(self, text: str) -> int:
        """The index of a string."""
        number = self._strings.setdefault(text, len(self._strings))
        if number == len(self._dictionary.string_table):
            self._dictionary.string_table.append(_valid(text))
        return number


class _OfTables:
    """Indexes in the dictionary of an export by the numbers of some tables."""

    def __init__(self, export: _Export, dictionary: Any, tables: Tables) -> None:
        self._export = export
        self._dictionary = dictionary
        self._tables = tables
        self._stacks: dict[int, int] = {}
        self._locations: dict[int, int] = {}
        self._functions: dict[int, int] = {}
        self._mappings: dict[int, int] = {}

    def stack(self, number: int) -> int:
        """The index of a stack."""
        known = self._stacks.get(number)
        if known is None:
            locations = [*map(self._location, self._tables.stacks[number].tolist())]
            self._dictionary.stack_table.add(location_indices=locations)
            known = self._stacks[number] = len(self._dictionary.stack_table) - 1
        return known

    def _location(self, number: int) -> int:
        known = self._locations.get(number)
        if known is None:
            tables = self._tables
            address, mapping = tables.locations[number].tolist()
            added = self._dictionary.location_table.add(address=address)
            known = self._locations[number] = len(self._dictionary.location_table) - 1
            if mapping != NONE:
                added.mapping_index = self._mapping(mapping)
            for function, line in tables.frames[tables.location_frames[number]].tolist():
                added.lines.add(function_index=self._function(function), line=line)
        return known

    def _function(self, number: int) -> int:
        known = self._functions.get(number)
        if known is None:
            texts = (self._tables.strings[one] for one in self._tables.functions[number].tolist())
            name, system_name, file = map(self._export.string, texts)
            self._dictionary.function_table.add(
                name_strindex=name,
                system_name_strindex=system_name or name,
                filename_strindex=file,
            )
            known = self._functions[number] = len(self._dictionary.function_table) - 1
        return known

    def _mapping(self, number: int) -> int:
        known = self._mappings.get(number)
        if known is None:
            found = self._tables.mapping_values[number]
            added = self._dictionary.mapping_table.add(
                memory_start=found.start,
                memory_limit=found.limit,
                file_offset=found.offset,
                filename_strindex=self._export.string(found.path),
            )
            if found.build_id:
                added.attribute_indices.append(self._build_id(found.build_id))
            known = self._mappings[number] = len(self._dictionary.mapping_table) - 1
        return known

    def _build_id(self, build_id: str) -> int:
        if build_id.startswith(HASH_PREFIX):
            return self._export.attribute(BUILD_ID_HASH, build_id.removeprefix(HASH_PREFIX))
        return self._export.attribute(BUILD_ID_GNU, build_id)


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
