"""Moves a program's code above 4 GiB of file offset."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

FAR = 5 << 30
PT_LOAD, PF_X = 1, 1
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")


def segments(data: bytes) -> list[tuple[int, ...]]:
    """Loaded segments as (type, flags, offset, ...)."""
    header = HEADER.unpack_from(data)
    table, count = header[5], header[10]
    found = [SEGMENT.unpack_from(data, table + i * SEGMENT.size) for i in range(count)]
    return [segment for segment in found if segment[0] == PT_LOAD]


def move_code(source: Path, target: Path) -> None:
    """Copy a program, with the segment of its code far behind everything else (in a hole).

    Raises OSError where files cannot be that large.
    """
    data = bytearray(source.read_bytes())
    header = HEADER.unpack_from(data)
    (code,) = (segment for segment in segments(bytes(data)) if segment[1] & PF_X)
    offset, size = code[2], code[5]
    for at in table_places(header[5], SEGMENT, header[10]):
        fields = list(SEGMENT.unpack_from(data, at))
        if fields[0] == PT_LOAD and fields[2] == offset:
            fields[2] += FAR
            SEGMENT.pack_into(data, at, *fields)
    for at in table_places(header[6], SECTION, header[12]):
        fields = list(SECTION.unpack_from(data, at))
        if offset <= fields[4] < offset + size:
            fields[4] += FAR
            SECTION.pack_into(data, at, *fields)
    with target.open("wb") as file:
        file.write(data)
        file.seek(offset + FAR)
        file.write(data[offset : offset + size])
    shutil.copymode(source, target)


def table_places(start: int, entry: struct.Struct, count: int) -> list[int]:
    """Where the entries of a table lie."""
    return [start + i * entry.size for i in range(count)]
