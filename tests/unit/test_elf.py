"""ELF headers against readelf, and files that were damaged on purpose."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from ebprof.elf import DebugLink, ElfImage, ObjectFile, Segment, memory_file, open_regular
from ebprof.errors import BadFileError
from tests import slow

LIBRARIES = sorted(
    path.resolve() for path in Path("/usr/lib/x86_64-linux-gnu").glob("*.so*") if path.is_file()
)[::8][:40]
MACHINES = {"Advanced Micro Devices X86-64": 62, "Intel 80386": 3}
SAMPLE = Path("/proc/self/exe").resolve().read_bytes()
HEADERS = 64 + 16 * 56

# Offsets in the 64-bit ELF header.
E_PHOFF, E_SHOFF, E_PHENTSIZE, E_PHNUM, E_SHENTSIZE, E_SHNUM, E_SHSTRNDX = (
    32,
    40,
    54,
    56,
    58,
    60,
    62,
)


def image_of(data: bytes) -> ElfImage:
    return ElfImage(keep(memory_file(data)))


_kept: list[FileIO] = []


def keep(file: FileIO) -> FileIO:
    _kept.append(file)
    return file


@pytest.fixture(autouse=True)
def close_files() -> Iterator[None]:
    yield
    while _kept:
        _kept.pop().close()


def read_everything(data: bytes) -> None:
    image = image_of(data)
    for read in (
        lambda: image.segments,
        lambda: image.build_id,
        lambda: image.sections,
        lambda: image.debuglink,
        lambda: image.section_data(".eh_frame", limit=1 << 20),
        image.eh_frame_section,
        lambda: image.code_address(0x1000),
    ):
        with suppress(BadFileError):
            read()


def patched(offset: int, layout: str, value: int) -> bytes:
    data = bytearray(SAMPLE)
    struct.pack_into(layout, data, offset, value)
    return bytes(data)


@dataclass(frozen=True, slots=True)
class Readelf:
    """What readelf prints of a file; sections: name, address, offset, size, link."""

    machine: str
    elf_class: str
    segments: list[tuple[int, int, int, int, bool]]
    sections: list[tuple[str, int, int, int, int]]
    build_id: str
    debuglink: tuple[bytes, int] | None


_LOAD = re.compile(r"^  LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) (...) 0x", re.M)
_SECTION = re.compile(
    r"^ +\[ *\d+\] (\S*) +\S+ +([0-9a-f]{8,16}) (\w+) (\w+) \w\w [ A-Za-z]{3,4} +(\d+) +\d+ +\d+$",
    re.M,
)
_LINK = re.compile(r"Separate debug info file: (\S+)\s+CRC value: 0x(\w+)")


def readelf(path: Path) -> Readelf:
    options = ["-hlSnW", "--debug-dump=links", "--debug-dump=no-follow-links"]
    command = ["readelf", *options, str(path)]
    environment = os.environ | {"LC_ALL": "C"}
    text = subprocess.run(command, capture_output=True, text=True, env=environment).stdout
    link = _LINK.search(text)
    return Readelf(
        machine=first(r"Machine: +(.*)", text),
        elf_class=first(r"Class: +(.*)", text),
        segments=[
            (int(offset, 16), int(address, 16), int(size, 16), int(length, 16), "E" in flags)
            for offset, address, size, length, flags in _LOAD.findall(text)
        ],
        sections=[
            (name, int(address, 16), int(offset, 16), int(size, 16), int(link))
            for name, address, offset, size, link in _SECTION.findall(text)
        ],
        build_id=first(r"Build ID: (\w+)", text),
        debuglink=(link[1].encode(), int(link[2], 16)) if link else None,
    )


def first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


@pytest.mark.skipif(not LIBRARIES, reason="no libraries in /usr/lib/x86_64-linux-gnu")
@pytest.mark.skipif(not shutil.which("readelf"), reason="no readelf here")
@pytest.mark.parametrize("path", LIBRARIES, ids=lambda path: path.name)
def test_agrees_with_readelf(path: Path) -> None:
    expected = readelf(path)
    with FileIO(str(path)) as file:
        image = ElfImage(file)
        assert image.machine == MACHINES[expected.machine]
        assert image.is_64 == (expected.elf_class == "ELF64")
        assert expected.segments == [
            (s.offset, s.address, s.file_size, s.memory_size, s.executable) for s in image.segments
        ]
        assert expected.sections == [
            (s.name, s.address, s.offset, s.size, s.link) for s in image.sections
        ]
        assert image.build_id == expected.build_id
        link = image.debuglink
        assert expected.debuglink == (link and (link.name, link.crc))
        places = [(o, size) for name, _, o, size, _ in expected.sections if name == ".eh_frame"]
        for offset, size in places:
            assert image.section_data(".eh_frame") == os.pread(file.fileno(), size, offset)


def test_finds_eh_frame_without_section_headers() -> None:
    expected = image_of(SAMPLE).section(".eh_frame")
    assert expected is not None
    data = bytearray(SAMPLE)
    struct.pack_into("<Q", data, E_SHOFF, 0)
    struct.pack_into("<HHH", data, E_SHENTSIZE, 0, 0, 0)
    stripped = image_of(bytes(data))
    assert stripped.sections == ()
    found = stripped.eh_frame_section()
    assert found is not None
    assert (found.address, found.offset) == (expected.address, expected.offset)
    assert found.size >= expected.size
    assert stripped.build_id == image_of(SAMPLE).build_id


def test_offsets_are_code_where_segments_share_a_page() -> None:
    image = image_of(SAMPLE)
    code = next(segment for segment in image.segments if segment.executable)
    assert image.code_address(code.offset) == code.address
    assert image.code_address(code.offset + 10) == code.address + 10
    page_start = code.offset & ~0xFFF
    assert image.code_address(page_start) == code.address - (code.offset - page_start)
    assert image.code_address(len(SAMPLE) + (1 << 20)) is None


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        (0, "<I", 0),
        (4, "<B", 9),
        (5, "<B", 0),
        (E_PHOFF, "<Q", 1 << 62),
        (E_PHENTSIZE, "<H", 1),
        (E_PHNUM, "<H", 0xFFFE),
        (E_PHENTSIZE, "<H", 64),
    ],
)
def test_refuses_bad_headers(offset: int, layout: str, value: int) -> None:
    with pytest.raises(BadFileError):
        image_of(patched(offset, layout, value))


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        (E_SHOFF, "<Q", (1 << 64) - 1),
        (E_SHENTSIZE, "<H", 0),
        (E_SHNUM, "<H", 0xFFFF),
        (E_SHSTRNDX, "<H", 0xFFFE),
    ],
)
def test_refuses_bad_section_headers_but_finds_eh_frame(
    offset: int, layout: str, value: int
) -> None:
    image = image_of(patched(offset, layout, value))
    with pytest.raises(BadFileError):
        image.section(".text")
    assert image.eh_frame_section() is not None


@pytest.mark.parametrize("size", [0, 1, 15, 16, 63, 64, 65, 500, 4096, len(SAMPLE) // 2])
def test_survives_truncation(size: int) -> None:
    if size < 64:
        with pytest.raises(BadFileError):
            image_of(SAMPLE[:size])
    else:
        try:
            read_everything(SAMPLE[:size])
        except BadFileError as error:
            assert "corrupt ELF file" in error.message


@settings(max_examples=slow.examples(300))
@given(st.lists(st.tuples(st.integers(0, HEADERS - 1), st.integers(0, 255)), max_size=8))
def test_survives_damaged_headers(damage: list[tuple[int, int]]) -> None:
    data = bytearray(SAMPLE)
    for place, value in damage:
        data[place] = value
    try:
        read_everything(bytes(data))
    except BadFileError as error:
        assert error.message


@settings(max_examples=slow.examples(300))
@given(st.data())
def test_survives_damaged_section_headers(data: st.DataObject) -> None:
    (start,) = struct.unpack_from("<Q", SAMPLE, E_SHOFF)
    damaged = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(start, len(SAMPLE) - 1))] = data.draw(st.integers(0, 255))
    read_everything(bytes(damaged))


def test_file_that_shrinks_after_opening_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(SAMPLE)
    with FileIO(str(path)) as file:
        image = ElfImage(file)
        os.truncate(path, 4096)
        with pytest.raises(BadFileError):
            image.section_data(".eh_frame")


def with_section(name: bytes, body: bytes, flags: int = 0, more_names: bytes = b"") -> bytes:
    """An ELF file of three sections, the second one of this name, contents and flags."""
    names = b"\0" + name + b"\0.names\0" + more_names
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    start = 64 + len(body) + len(names)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, start, 0, 64, 0, 0, 64, 3, 2)
    row = "<IIQQQQIIQQ"
    sections = struct.pack(row, *[0] * 10)
    sections += struct.pack(row, 1, 1, flags, 0, 64, len(body), 0, 0, 1, 0)
    place = (64 + len(body), len(names))
    sections += struct.pack(row, len(name) + 2, 3, 0, 0, *place, 0, 0, 1, 0)
    return header + body + names + sections


def compressed(kind: int) -> Callable[[int, bytes], bytes]:
    """Writes files whose `.debug_info` is compressed in this way (ELFCOMPRESS_...)."""
    return lambda size, packed: with_section(
        b".debug_info", struct.pack("<I4xQQ", kind, size, 1) + packed, flags=0x800
    )


def compressed_as_before_elf_knew(size: int, packed: bytes) -> bytes:
    return with_section(b".zdebug_info", b"ZLIB" + size.to_bytes(8, "big") + packed)


def zstd_frames(plain: bytes) -> bytes:
    """Two frames, as linkers write that compress in parallel."""
    return zstd.compress(plain[: len(plain) // 3]) + zstd.compress(plain[len(plain) // 3 :])


Packer = Callable[[bytes], bytes]
COMPRESSIONS: dict[str, tuple[Callable[[int, bytes], bytes], Packer]] = {
    "zlib": (compressed(1), zlib.compress),
    "zstd": (compressed(2), zstd.compress),
    "zstd in two frames": (compressed(2), zstd_frames),
    "zlib-gnu": (compressed_as_before_elf_knew, zlib.compress),
}


@pytest.mark.parametrize(("write", "pack"), COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_decompresses_sections_within_a_bound(
    write: Callable[[int, bytes], bytes], pack: Packer
) -> None:
    plain = b"symbols" * 1000
    packed = pack(plain)
    assert image_of(write(len(plain), packed)).section_data(".debug_info") == plain
    with pytest.raises(BadFileError, match="too large"):
        image_of(write(len(plain), packed)).section_data(".debug_info", limit=6999)
    for size, data in ((len(plain) + 1, packed), (len(plain), packed[:-20]), (10, b"garbage")):
        with pytest.raises(BadFileError, match="debug_info"):
            image_of(write(size, data)).section_data(".debug_info")


@pytest.mark.parametrize(("write", "pack"), COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_says_less_than_it_unpacks_to(write: Callable[[int, bytes], bytes], pack: Packer) -> None:
    bomb = pack(bytes(64 << 20))
    assert image_of(write(100, bomb)).section_data(".debug_info") == bytes(100)


def test_compression_that_nobody_knows() -> None:
    with pytest.raises(BadFileError, match="unknown compression 7"):
        image_of(compressed(7)(10, b"")).section_data(".debug_info")
    with pytest.raises(BadFileError, match="no header"):
        image_of(with_section(b".zdebug_info", b"ZLIB")).section_data(".debug_info")


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (str(fifo), "/dev/zero", str(tmp_path)):
        with pytest.raises(BadFileError, match="not a regular file"):
            open_regular(path)


def test_object_file_names_the_file_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\n" * 10)
    file = open_regular(str(path))
    with pytest.raises(BadFileError, match=r"/app/script: not an ELF file"):
        ObjectFile.open(file, "/app/script")
    assert file.closed


def test_keys_tell_a_replaced_file_apart(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(SAMPLE)
    first = ObjectFile.open(open_regular(str(path)), "program")
    again = ObjectFile.open(open_regular(str(path)), "program")
    (tmp_path / "new").write_bytes(SAMPLE)
    (tmp_path / "new").rename(path)
    other = ObjectFile.open(open_regular(str(path)), "program")
    assert first.key == again.key
    assert first.key != other.key
    for file in (first, again, other):
        file.close()
        file.close()


def test_copies_from_memory_are_known_by_their_contents() -> None:
    first, again = (ObjectFile.from_memory(SAMPLE, "[vdso]") for _ in range(2))
    other = ObjectFile.from_memory(SAMPLE + b"\0", "[vdso]")
    assert first.key == again.key != other.key
    for file in (first, again, other):
        file.close()


def test_closed_file_is_an_error_not_another_files_contents(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(SAMPLE)
    with open_regular(str(path)) as file:
        image = ElfImage(file)
    with open_regular("/proc/self/exe"), pytest.raises(BadFileError, match="closed"):
        image.section_data(".text")


def note(order: str, name: bytes, kind: int, content: bytes) -> bytes:
    padding = bytes(-len(content) % 4)
    return struct.pack(f"{order}III", len(name), len(content), kind) + name + content + padding


def with_build_id(is_64: bool, order: str, notes: bytes) -> bytes:
    """An ELF file of machine 0x1234 with a PT_LOAD and a PT_NOTE segment, after gABI chapter 5."""
    ident = b"\x7fELF" + bytes([2 if is_64 else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    word = "Q" if is_64 else "I"
    size, entry = (64, 56) if is_64 else (52, 32)
    fields = (3, 0x1234, 1, 0, size, 0, 0, size, entry, 2, 0, 0, 0)
    header = ident + struct.pack(f"{order}HHI{word * 3}IHHHHHH", *fields)
    place = size + 2 * entry
    for kind, offset, address, length, memory in (
        (1, 0, 0x1000, 0x20, 0x30),
        (4, place, place, len(notes), len(notes)),
    ):
        if is_64:
            row = (kind, 5, offset, address, address, length, memory, 4)
            header += struct.pack(f"{order}II6Q", *row)
        else:
            row = (kind, offset, address, address, length, memory, 5, 4)
            header += struct.pack(f"{order}8I", *row)
    return header + notes


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_64", [True, False])
def test_reads_every_class_and_byte_order(is_64: bool, order: str) -> None:
    image = image_of(with_build_id(is_64, order, note(order, b"GNU\0", 3, bytes(range(20)))))
    assert (image.is_64, image.byte_order, image.machine) == (is_64, order, 0x1234)
    assert image.segments == (Segment(0, 0x1000, 0x20, 0x30, True),)
    assert image.build_id == bytes(range(20)).hex()


@pytest.mark.parametrize(
    "notes",
    [
        note("<", b"GNU\0", 3, b"x" * 65),
        note("<", b"GNU\0", 4, b"x" * 20),
        note("<", b"Go\0\0", 3, b"x" * 20),
        note("<", b"GNU\0", 3, b"x" * 20)[:-4],
        note("<", b"GNU\0", 3, b"x" * 20) + bytes(16 << 10),
        struct.pack("<III", 1 << 31, 20, 3) + b"GNU\0" * 9,
        b"A" * 100,
        b"\xff" * 100,
    ],
)
def test_what_is_no_build_id_is_not_taken_for_one(notes: bytes) -> None:
    assert image_of(with_build_id(True, "<", notes)).build_id == ""


def test_finds_the_build_id_among_other_notes() -> None:
    others = note("<", b"Xen\0", 5, b"abc") + note("<", b"GNU\0", 1, bytes(16))
    notes = others + note("<", b"GNU\0", 3, b"\x12\xab") + others
    assert image_of(with_build_id(True, "<", notes)).build_id == "12ab"


def test_more_headers_than_a_linked_object_has_are_refused() -> None:
    assert len(image_of(with_segments(*[(4, 0, 0, 0)] * 4096)).segments) == 4096
    with pytest.raises(BadFileError, match="4097 headers"):
        image_of(with_segments(*[(4, 0, 0, 0)] * 4097))


def test_section_names_beyond_a_bound_are_refused() -> None:
    with pytest.raises(BadFileError, match="section names"):
        image_of(with_section(b".data", b"", more_names=bytes(16 << 20))).section(".data")


def test_sections_without_contents_are_listed_but_not_found() -> None:
    image = image_of(SAMPLE)
    assert ".bss" in [section.name for section in image.sections]
    assert image.section(".bss") is None


@pytest.mark.parametrize(
    "data", [b"\0\0\0\0\1\2\3\4", b"a.debug\0\1\2\3", b"a.debug", b"", b"a" * 8193]
)
def test_bad_debuglinks_are_refused(data: bytes) -> None:
    with pytest.raises(BadFileError):
        _ = image_of(with_section(b".gnu_debuglink", data)).debuglink


def test_reads_the_debuglink() -> None:
    data = b"ab.debug\0\0\0\0" + struct.pack("<I", 0xDEADBEEF)
    link = image_of(with_section(b".gnu_debuglink", data)).debuglink
    assert link == DebugLink(b"ab.debug", 0xDEADBEEF)


def test_section_names_do_not_add_up_to_more_than_the_file() -> None:
    """Thousands of sections that share one endless name."""
    names = b"A" * (1 << 20)
    count = 1000
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, 64, 0, 64, 0, 0, 64, count, 1)
    row = struct.pack("<IIQQQQIIQQ", 5, 3, 0, 0, 64 * (count + 1), len(names), 0, 0, 1, 0)
    sections = image_of(header + row * count + names).sections
    assert len(sections) == count
    assert sum(len(section.name) for section in sections) < len(names)


def with_segments(*rows: tuple[int, int, int, int]) -> bytes:
    """An ELF file with PT_LOAD segments of these flags, offsets, addresses and file sizes."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, len(rows), 0, 0, 0)
    for flags, offset, address, size in rows:
        header += struct.pack("<IIQQQQQQ", 1, flags, offset, address, address, size, size, 4096)
    return header


@pytest.mark.parametrize("code_first", [True, False])
def test_of_segments_that_share_a_page_the_code_counts(code_first: bool) -> None:
    data, code = (4, 0x0, 0x0, 0x1800), (5, 0x1800, 0x2800, 0x1000)
    image = image_of(with_segments(*((code, data) if code_first else (data, code))))
    assert image.code_address(0x1800) == 0x2800
    assert image.code_address(0x1000) == 0x2000  # where the kernel maps that page executable
    assert image.code_address(0xFFF) is None
    assert image.code_address(0x27FF) == 0x37FF
    assert image.code_address(0x2800) is None
