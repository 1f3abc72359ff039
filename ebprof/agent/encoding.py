"""Series as pprof, at a node's cost: what windows have in common is encoded once.

Source of the format: github.com/google/pprof/blob/main/proto/profile.proto. IDs are the numbers of
the tables plus one: so a location is the same bytes in all series and windows of a lineage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ebprof.model import NONE, Profile, Tables
from ebprof.output._functions import is_nameless
from ebprof.output._types import values_of

_KINDS, _SAMPLE, _MAPPING, _LOCATION, _FUNCTION, _TEXT, _TIME, _DURATION, _PERIOD_KIND, _PERIOD = (
    *(b"\x0a", b"\x12", b"\x1a", b"\x22", b"\x2a", b"\x32", b"\x48", b"\x50", b"\x5a", b"\x60"),
)
"""Tags of a Profile's fields: number and wire type (protobuf.dev/programming-guides/encoding)."""
_HAS = (b"\x38", b"\x40", b"\x48", b"\x50")
"""Tags of what is known of a mapping: functions, file names, line numbers, inlined calls."""
_STOP = "stop"
_NONE_OF = ("pid", "tid")
"""Without these labels, readers take the name of the program for that of a process."""


@dataclass(frozen=True, slots=True)
class _Location:
    """message: as a field of a profile. known: bits, in the order of _HAS."""

    message: bytes
    mapping: int
    functions: tuple[int, ...]
    known: int


class Encoder:
    """Encodes profiles. For one thread."""

    def __init__(self) -> None:
        self._lineage: object = None
        self._forget()

    def encode(self, profile: Profile) -> bytes:
        """The profile as a profile.proto message, not packed; without threads and labels."""
        samples = profile.samples
        if samples.tables.lineage is not self._lineage:
            self._forget()
            self._lineage = samples.tables.lineage
        message = _Message(self, samples.tables)
        message.add_header(profile)
        rows = zip(samples.rows["stack"].tolist(), samples.rows["stop"].tolist(), strict=True)
        message.add_samples(rows, values_of(profile).tolist())
        return message.finish()

    def _forget(self) -> None:
        """Numbers mean other things from now on."""
        self._locations: dict[int, _Location] = {}
        self._stacks: dict[int, tuple[bytes, list[int]]] = {}
        self._functions: dict[int, tuple[bytes, int, int, int]] = {}
        self._texts: dict[int, bytes] = {}

    def stack(self, tables: Tables, number: int) -> tuple[bytes, list[int]]:
        """A stack as a field of a sample, and the numbers of its locations."""
        known = self._stacks.get(number)
        if known is None:
            locations = tables.stacks[number].tolist()
            ids = b"".join(varint(one + 1) for one in locations)
            known = self._stacks[number] = _field(b"\x0a", ids), locations
        return known

    def location(self, tables: Tables, number: int) -> _Location:
        """A location with its lines."""
        known = self._locations.get(number)
        if known is None:
            known = self._locations[number] = _location(tables, number)
        return known

    def function(self, tables: Tables, number: int) -> tuple[bytes, int, int, int]:
        """How a function begins, and the numbers of its names and file."""
        known = self._functions.get(number)
        if known is None:
            name, system_name, file = tables.functions[number].tolist()
            begin = b"\x08" + varint(number + 1) + b"\x10"
            known = self._functions[number] = begin, name, system_name or name, file
        return known

    def text(self, tables: Tables, number: int) -> bytes:
        """A string as an entry of a profile's table."""
        known = self._texts.get(number)
        if known is None:
            known = self._texts[number] = _text(tables.strings[number])
        return known


class _Message:
    """One profile under construction."""

    def __init__(self, encoder: Encoder, tables: Tables) -> None:
        self._encoder = encoder
        self._tables = tables
        self._parts: list[bytes] = []
        self._numbers: dict[int | str, int] = {0: 0}
        self._known_labels: dict[int, bytes] = {}

    def add_header(self, profile: Profile) -> None:
        """What kinds of values there are, and when they were taken."""
        for kind in profile.types:
            self._add(_KINDS, self._kind(*kind))
        self._add(_PERIOD_KIND, self._kind(profile.event, profile.unit))
        for tag, number in (
            (_TIME, profile.time_ns),
            (_DURATION, profile.duration_ns),
            (_PERIOD, profile.period),
        ):
            self._parts.append(tag + varint(number))

    def add_samples(self, rows: Iterable[tuple[int, int]], values: Iterable[Iterable[int]]) -> None:
        """Numbers of stacks and stop reasons, with values; and all that they need."""
        locations: dict[int, None] = {}
        for (stack, stop), found in zip(rows, values, strict=True):
            message, numbers = self._encoder.stack(self._tables, stack)
            locations.update(dict.fromkeys(numbers))
            amounts = _field(b"\x12", b"".join(map(varint, found)))
            self._add(_SAMPLE, message + amounts + self._labels(stop))
        self._add_locations(locations)

    def finish(self) -> bytes:
        """The message, with its strings."""
        for one in self._numbers:
            known = self._encoder.text(self._tables, one) if isinstance(one, int) else _text(one)
            self._parts.append(known)
        return b"".join(self._parts)

    def _add_locations(self, numbers: Iterable[int]) -> None:
        functions: dict[int, None] = {}
        mappings: dict[int, int] = {}
        for number in numbers:
            one = self._encoder.location(self._tables, number)
            self._parts.append(one.message)
            functions.update(dict.fromkeys(one.functions))
            if one.mapping != NONE:
                mappings[one.mapping] = mappings.get(one.mapping, 0) | one.known
        for function in functions:
            self._add_function(function)
        known = self._tables.mapping_values
        for mapping in sorted(mappings, key=lambda one: known[one].is_kernel):
            self._add_mapping(mapping, mappings[mapping])

    def _add_function(self, number: int) -> None:
        begin, *texts = self._encoder.function(self._tables, number)
        name, system_name, file = map(varint, map(self._number, texts))
        body = begin + name + b"\x18" + system_name + b"\x20" + file
        self._parts.append(_FUNCTION + varint(len(body)) + body)

    def _add_mapping(self, number: int, known: int) -> None:
        path, build_id, *places = self._tables.mappings[number].tolist()
        pairs = zip(
            (b"\x10", b"\x18", b"\x20", b"\x28", b"\x30"),
            (*places, self._number(path), self._number(build_id)),
            strict=True,
        )
        body = b"\x08" + varint(number + 1) + b"".join(tag + varint(one) for tag, one in pairs)
        flags = (tag + b"\x01" for bit, tag in enumerate(_HAS) if known >> bit & 1)
        self._add(_MAPPING, body + b"".join(flags))

    def _labels(self, stop: int) -> bytes:
        """Of a sample: that it is of no one process and thread, and its stop reason."""
        known = self._known_labels.get(stop)
        if known is None:
            keys = [b"\x08" + varint(self._number(one)) for one in _NONE_OF]
            if stop:
                key, value = varint(self._number(_STOP)), varint(self._number(stop))
                keys.append(b"\x08" + key + b"\x10" + value)
            known = self._known_labels[stop] = b"".join(_field(b"\x1a", key) for key in keys)
        return known

    def _kind(self, name: str, unit: str) -> bytes:
        return b"\x08" + varint(self._number(name)) + b"\x10" + varint(self._number(unit))

    def _number(self, text: int | str) -> int:
        """In the message's own table: of a number in the tables', or of a string."""
        return self._numbers.setdefault(text or 0, len(self._numbers))

    def _add(self, tag: bytes, body: bytes) -> None:
        self._parts.append(_field(tag, body))


def _location(tables: Tables, number: int) -> _Location:
    address, mapping = tables.locations[number].tolist()
    frames = tables.frames[tables.location_frames[number]].tolist()
    body = b"\x08" + varint(number + 1)
    if mapping != NONE:
        body += b"\x10" + varint(mapping + 1)
    body += b"\x18" + varint(address)
    for function, line in frames:
        body += _field(b"\x22", b"\x08" + varint(function + 1) + b"\x10" + varint(line))
    values = [tables.functions[function].tolist() for function, _ in frames]
    known = (
        any(not is_nameless(tables.strings[name]) for name, _, _ in values),
        any(file for _, _, file in values),
        any(line > 0 for _, line in frames),
        len(frames) > 1,
    )
    bits = sum(is_known << bit for bit, is_known in enumerate(known))
    return _Location(
        _field(_LOCATION, body), mapping, tuple(function for function, _ in frames), bits
    )


def varint(number: int) -> bytes:
    """A number as protobuf has it; negative ones as their two's complement of 64 bits."""
    if 0 <= number < len(_SMALL):
        return _SMALL[number]
    return _varint(number)


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _field(tag: bytes, body: bytes) -> bytes:
    return tag + varint(len(body)) + body


def _text(text: str) -> bytes:
    return _field(_TEXT, text.encode("utf-8", "replace"))


_SMALL = tuple(map(_varint, range(4096)))
"""Most are: numbers of strings, lengths."""
