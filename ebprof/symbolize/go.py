"""Names, lines and inlined calls of Go programs, by the table of Go's own runtime.

The formats are those of Go's src/runtime/symtab.go and symtabinl.go, from Go 1.2 to 1.27. Inlined
calls are read from Go 1.18 on.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError
from ebprof.golang import (
    GO_1_2,
    GO_1_16,
    GO_1_18,
    GO_1_20,
    GoTable,
    fields_at,
    find_go_table,
)
from ebprof.procfs.text import decoded
from ebprof.symbolize.source import Call
from ebprof.symbolize.strings import may_hold, string_at

_MAX_STEPS = 1 << 16
_STEPS_PER_BYTE = 8
_MOST_DECODED = 64
_MAX_INLINED = 256
_NO_OFFSET = 0xFFFFFFFF
_INLINE_INDEX, _INLINE_TREE = 2, 3


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where fields are in one version, in bytes.

    entry: size of functions' addresses. header: words in which parts of the table are named.
    fixed: size of a function's record. call: size of a record of an inlined call, and where name
    and place of the call are in it; none where these are not read.
    """

    entry: int
    parts: int
    fixed: int
    call: tuple[int, int, int] | None = None


_LAYOUTS = {
    GO_1_2: _Layout(8, 0, 40),
    GO_1_16: _Layout(8, 24, 44),
    GO_1_18: _Layout(4, 32, 40, (20, 12, 16)),
    GO_1_20: _Layout(4, 32, 44, (16, 4, 8)),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """A table of values by code: values[i] holds below ends[i], both int64[n]."""

    ends: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]

    def at(self, offset: int) -> int:
        """The value at an offset from the function's start, -1 where there is none."""
        index = int(self.ends.searchsorted(offset, "right"))
        return int(self.values[index]) if index < len(self.values) else -1


@dataclass(frozen=True, slots=True)
class _Function:
    """Address range [start, end) and where its record is in the table."""

    start: int
    end: int
    record: int


class GoSymbols:
    """What one object's table says.

    image: read when inlined calls of Go before 1.26 are asked for. Raises BadFileError when the
    table makes no sense; what makes none later is left out of answers.
    """

    def __init__(self, image: ElfImage, table: GoTable) -> None:
        self.image = image
        self._table = table
        self._data = table.data
        self._layout = _LAYOUTS[table.magic]
        self._names, self._units, self._files, self._steps, self._functions = self._parts()
        self._starts, self._records = self._read_functions()
        self._decoded: dict[int, _Steps] = {}
        self._steps_left = _STEPS_PER_BYTE * len(self._data)

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        return len(self._data) + self._starts.nbytes + self._records.nbytes

    def find(self, address: int) -> tuple[Call, ...]:
        """The inlined calls and the function at an address (p_vaddr); empty where no Go code is."""
        if not 0 <= address < 1 << 64:
            return ()
        index = int(self._starts.searchsorted(np.uint64(address), "right")) - 1
        if not 0 <= index < len(self._records):
            return ()
        start, end = self._starts[index : index + 2].tolist()
        function = _Function(start, end, int(self._records[index]))
        try:
            return tuple(self._calls(function, address - start))
        except (BadFileError, struct.error):
            return ()

    def functions_with(self, text: str) -> Iterator[tuple[str, int]]:
        """Name and address of each function with a text in its name."""
        offsets = fields_at(self._data, self._records + self._layout.entry).astype(np.int64)
        wanted = may_hold(os.fsencode(text), self._data, offsets + self._names)
        for index in np.flatnonzero(wanted).tolist():
            name = self._name(int(offsets[index]))
            if decoded(text) in name:
                yield name, int(self._starts[index])

    # ---- functions -------------------------------------------------------------------------------

    def _parts(self) -> tuple[int, int, int, int, int]:
        """Where names, compilation units, names of files, steps and functions begin."""
        parts = self._layout.parts
        if not parts:
            return 0, 0, 0, 0, 16
        names, units, files, steps, functions = self._numbers("<5Q", parts)
        return names, units, files, steps, functions

    def _read_functions(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Addresses, uint64[n + 1] with the last one's end, and places of records, int64[n]."""
        (count,) = self._numbers("<Q", 8)
        size = 2 * self._layout.entry
        if not 0 < count <= (len(self._data) - self._functions) // size:
            _corrupt()
        kind = np.dtype(f"<u{self._layout.entry}")
        if self._functions + size * count + kind.itemsize > len(self._data):
            _corrupt()
        numbers = np.frombuffer(self._data, kind, 2 * count + 1, self._functions)
        starts = numbers[::2].astype(np.uint64)
        if self._table.magic in (GO_1_18, GO_1_20):
            starts += np.uint64(self._table.text)
        base = self._functions if self._layout.parts else 0
        records = numbers[1::2].astype(np.int64) + base
        is_inside = (records >= 0) & (records <= len(self._data) - self._layout.fixed)
        if not (starts[1:] >= starts[:-1]).all() or not is_inside.all():
            _corrupt()
        return starts, records

    def _field(self, function: _Function, number: int) -> int:
        """A 32-bit field of a function's record, counted from its name."""
        (value,) = self._numbers("<I", function.record + self._layout.entry + 4 * number)
        return int(value)

    # ---- calls -----------------------------------------------------------------------------------

    def _calls(self, function: _Function, offset: int) -> Iterator[Call]:
        """The calls at an offset from a function's start, innermost first."""
        for _ in range(_MAX_INLINED):
            index = self._inline_index(function, offset)
            if index < 0:
                break
            name, call_place = self._inlined_call(function, index)
            yield self._call(function, offset, name)
            offset = call_place
        yield self._call(function, offset, self._field(function, 0))

    def _call(self, function: _Function, offset: int, name: int) -> Call:
        file = self._value(function, self._field(function, 4), offset)
        line = self._value(function, self._field(function, 5), offset)
        path = self._file(function, file) if file >= 0 else ""
        return Call(self._name(name), path, max(line, 0) if path else 0)

    def _inline_index(self, function: _Function, offset: int) -> int:
        tables = self._field(function, 6)
        if self._layout.call is None or not self._table.function_data or tables <= _INLINE_INDEX:
            return -1
        place = function.record + self._layout.fixed + 4 * _INLINE_INDEX
        return self._value(function, self._numbers("<I", place)[0], offset)

    def _inlined_call(self, function: _Function, index: int) -> tuple[int, int]:
        """Name of an inlined function and where, from its caller's start, it would be called."""
        assert self._layout.call is not None
        size, name_at, place_at = self._layout.call
        fixed = function.record + self._layout.fixed
        (count,) = self._numbers("<B", fixed - 1)
        (offset,) = self._numbers("<I", fixed + 4 * (self._field(function, 6) + _INLINE_TREE))
        if count <= _INLINE_TREE or offset == _NO_OFFSET:
            _corrupt()
        record = self._function_data(offset + size * index, size)
        (name,) = struct.unpack_from("<i", record, name_at)
        (place,) = struct.unpack_from("<i", record, place_at)
        if name < 0 or not 0 <= place < function.end - function.start:
            _corrupt()
        return name, place

    def _function_data(self, offset: int, size: int) -> bytes:
        address = self._table.function_data + offset
        place = address - self._table.address
        if 0 <= place <= len(self._data) - size:
            return self._data[place : place + size]
        return self.image.bytes_at(address, size)

    # ---- tables ----------------------------------------------------------------------------------

    def _value(self, function: _Function, table: int, offset: int) -> int:
        """The value that a table of a function has at an offset; -1 where there is none."""
        if table == 0:
            return -1
        steps = self._decoded.pop(table, None) or self._decode(self._steps + table)
        self._decoded[table] = steps
        if len(self._decoded) > _MOST_DECODED:
            del self._decoded[next(iter(self._decoded))]
        return steps.at(offset)

    def _decode(self, place: int) -> _Steps:
        """All steps of a table: differences of value and address, in turn (runtime.step)."""
        value, end = -1, 0
        values: list[int] = []
        ends: list[int] = []
        for _ in range(min(_MAX_STEPS, self._steps_left)):
            change, place = self._varint(place)
            if change == 0 and values:
                break
            distance, place = self._varint(place)
            value += ~(change >> 1) if change & 1 else change >> 1
            end += distance
            values.append(value)
            ends.append(end)
        self._steps_left -= len(values)
        return _Steps(np.array(ends, np.int64), np.array(values, np.int64))

    def _varint(self, place: int) -> tuple[int, int]:
        """An unsigned LEB128 number of 32 bits and where the next one is."""
        value = 0
        for shift in range(0, 35, 7):
            if place >= len(self._data):
                _corrupt()
            byte = self._data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFF, place
        return _corrupt()

    # ---- strings ---------------------------------------------------------------------------------

    def _name(self, offset: int) -> str:
        return string_at(self._data, self._names + offset)

    def _file(self, function: _Function, number: int) -> str:
        """The path of a file: numbered in its compilation unit or, before Go 1.16, in all."""
        if self._layout.parts:
            unit = self._field(function, 7)
            (offset,) = self._numbers("<I", self._units + 4 * (unit + number))
        else:
            (files,) = self._numbers("<I", 16 + 16 * len(self._records) + 8)
            (offset,) = self._numbers("<I", files + 4 * number)
        return "" if offset == _NO_OFFSET else string_at(self._data, self._files + offset)

    def _numbers(self, layout: str, place: int) -> tuple[int, ...]:
        if not 0 <= place <= len(self._data) - struct.calcsize(layout):
            _corrupt()
        return struct.unpack_from(layout, self._data, place)


def read_go_symbols(
    image: ElfImage, spend: Callable[[int], None] = lambda size: None
) -> GoSymbols | None:
    """The symbols of Go code in an object; None where there is none, or its table is corrupt.

    spend: is told how many bytes were searched for the table.
    """
    try:
        table = find_go_table(image, spend)
        return None if table is None else GoSymbols(image, table)
    except BadFileError:
        return None


def _corrupt() -> NoReturn:
    raise BadFileError("corrupt Go function table")
