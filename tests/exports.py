"""Exports of OpenTelemetry's profiles, made with its own classes (PyPI: opentelemetry-proto)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
)
from opentelemetry.proto.profiles.v1development import profiles_pb2


class Export:
    """A request under construction."""

    def __init__(self) -> None:
        self.message: Any = ExportProfilesServiceRequest()
        self.dictionary = self.message.dictionary
        for name in ("mapping", "location", "function", "link", "attribute", "stack"):
            getattr(self.dictionary, f"{name}_table").add()
        self._strings: dict[str, int] = {}
        self.string("")

    def profile(
        self,
        stacks: Mapping[str, int] | Iterable[tuple[str, int]] = (),
        resource: Mapping[str, object] | None = None,
        kind: tuple[str, str] = ("samples", "count"),
        period: tuple[str, str, int] = ("cpu", "nanoseconds", 10_000_000),
        time_ns: int | None = None,
    ) -> Any:
        """A profile of stacks (`main;f`, root first) with values, in a resource of its own."""
        of = self.message.resource_profiles.add()
        for key, value in (resource or {}).items():
            any_value = of.resource.attributes.add(key=key).value
            setattr(any_value, "int_value" if isinstance(value, int) else "string_value", value)
        profile = of.scope_profiles.add().profiles.add()
        profile.time_unix_nano = time.time_ns() if time_ns is None else time_ns
        self._kind(profile.sample_type, kind)
        self._kind(profile.period_type, period[:2])
        profile.period = period[2]
        for stack, value in dict(stacks).items():
            profile.samples.add(stack_index=self.stack(stack), values=[value])
        return profile

    def stack(self, names: str) -> int:
        """The index of a stack of functions, root first."""
        locations = [self.location(name) for name in reversed(names.split(";"))]
        self.dictionary.stack_table.add(location_indices=locations)
        return len(self.dictionary.stack_table) - 1

    def location(self, name: str, **fields: int) -> int:
        """The index of a location in a function; without a name, one of an address alone."""
        location = self.dictionary.location_table.add(**fields)
        if name:
            self.dictionary.function_table.add(name_strindex=self.string(name))
            location.lines.add(function_index=len(self.dictionary.function_table) - 1, line=7)
        return len(self.dictionary.location_table) - 1

    def mapping(self, path: str, **attributes: str) -> int:
        """The index of a mapping; attributes: their names with underscores for dots."""
        indices = [self.attribute(key.replace("__", "."), text) for key, text in attributes.items()]
        self.dictionary.mapping_table.add(
            filename_strindex=self.string(path), attribute_indices=indices
        )
        return len(self.dictionary.mapping_table) - 1

    def attribute(self, key: str, value: str | int) -> int:
        """The index of an attribute."""
        added = self.dictionary.attribute_table.add(key_strindex=self.string(key))
        setattr(added.value, "int_value" if isinstance(value, int) else "string_value", value)
        return len(self.dictionary.attribute_table) - 1

    def string(self, text: str) -> int:
        """The index of a string."""
        if text not in self._strings:
            self._strings[text] = len(self._strings)
            self.dictionary.string_table.append(text)
        return self._strings[text]

    def bytes(self) -> bytes:
        """The request."""
        return bytes(self.message.SerializeToString())

    def _kind(self, message: Any, kind: tuple[str, str]) -> None:
        message.type_strindex, message.unit_strindex = map(self.string, kind)


PROFILE = profiles_pb2.Profile
