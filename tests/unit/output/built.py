"""pprof messages as other programs write them, field by field."""

from __future__ import annotations

import builtins
from typing import Any

from ebprof.output._profile_proto import ProfileMessage


class Built:
    """A message under construction by hand, and its strings."""

    def __init__(self, *sample_types: tuple[str, str]) -> None:
        self.texts = [""]
        self.message: Any = ProfileMessage()
        for name, unit in sample_types:
            self.message.sample_type.add(type=self.text(name), unit=self.text(unit))

    def text(self, value: str) -> int:
        """The index of a new string."""
        self.texts.append(value)
        return len(self.texts) - 1

    def period(self, name: str, unit: str, period: int) -> None:
        """Set what was sampled, and how often."""
        self.message.period_type.type = self.text(name)
        self.message.period_type.unit = self.text(unit)
        self.message.period = period

    def default(self, name: str) -> None:
        """Set the sample type that is to be shown."""
        self.message.default_sample_type = self.text(name)

    def stack(self, functions: str, *values: int) -> Any:
        """Add a sample of `main;f`, root first; returns it."""
        numbers = []
        for name in reversed(functions.split(";")):
            number = len(self.message.location) + 1
            self.message.function.add(id=number, name=self.text(name))
            self.message.location.add(id=number).line.add(function_id=number)
            numbers.append(number)
        return self.message.sample.add(location_id=numbers, value=values)

    def bytes(self) -> builtins.bytes:
        """The message, as its fields' numbers order it."""
        del self.message.string_table[:]
        self.message.string_table.extend(text.encode() for text in self.texts)
        return bytes(self.message.SerializeToString())

    def strings_first(self) -> builtins.bytes:
        """The same message with its string table before all else."""
        table = type(self.message)()
        self.bytes()
        table.string_table.extend(self.message.string_table)
        rest = type(self.message)()
        rest.CopyFrom(self.message)
        del rest.string_table[:]
        return bytes(table.SerializeToString() + rest.SerializeToString())


def heap() -> Built:
    """A Go heap profile: objects and bytes, allocated and still in use."""
    built = Built(
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    )
    built.period("space", "bytes", 524288)
    built.message.mapping.add(id=1, filename=built.text("/usr/bin/server"))
    built.stack("main;hold", 8, 4096, 2, 1536)
    built.stack("main;drop", 100, 1 << 20, 0, 0)
    return built


def wall() -> Built:
    """Samples and the time that each took, with a period that does not lead from one to other."""
    built = Built(("sample", "count"), ("wall", "nanoseconds"))
    built.period("wall", "nanoseconds", 10_000_000)
    built.stack("main;read", 3, 1_500_000_000)
    built.stack("main;write", 1, 700)
    return built
