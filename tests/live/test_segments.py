"""Programs whose code does not lie where it usually does: in two segments, far into a file."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from tests import targets
from tests.live.profiled import assert_complete, assert_share, profile

FAR = 5 << 30
PT_LOAD, PF_X = 1, 1
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")
SPLIT = {"sixty": 0.6, "thirty": 0.3, "ten": 0.1}


def test_two_segments_of_code() -> None:
    path = targets.build("twotexts", "far_text")
    assert sum(flags & PF_X for _, flags, *_ in segments(path.read_bytes())) == 2
    with targets.running("twotexts", variant="far_text") as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    assert_share(done.count_calls("main", "call_near", "near_leaf"), done.total, 0.5)
    assert_share(done.count_calls("main", "call_far", "far_leaf"), done.total, 0.5)


def test_code_above_4_gib_of_file_offset(tmp_path: Path) -> None:
    path = tmp_path / "split"
    move_code(targets.build("split"), path)
    with targets.started([path, 0]) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    for function, share in SPLIT.items():
        assert_share(done.count_calls("main", "serve", function), done.total, share)


def segments(data: bytes) -> list[tuple[int, ...]]:
    """Loaded segments as (type, flags, offset, ...)."""
    header = HEADER.unpack_from(data)
    table, count = header[5], header[10]
    found = [SEGMENT.unpack_from(data, table + i * SEGMENT.size) for i in range(count)]
    return [segment for segment in found if segment[0] == PT_LOAD]


def move_code(source: Path, target: Path) -> None:
    """Copy a program, with the segment of its code far behind everything else (in a hole)."""
    data = bytearray(source.read_bytes())
    header = HEADER.unpack_from(data)
    (code,) = (segment for segment in segments(data) if segment[1] & PF_X)
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
        try:
            file.seek(offset + FAR)
            file.write(data[offset : offset + size])
        except OSError as error:
            pytest.skip(f"no file of {FAR} bytes here: {error}")
    shutil.copymode(source, target)


def table_places(start: int, entry: struct.Struct, count: int) -> list[int]:
    """Where the entries of a table lie."""
    return [start + i * entry.size for i in range(count)]
