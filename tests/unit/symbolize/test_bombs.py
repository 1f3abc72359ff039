"""Small files that make a reader take much: each in a process with little time and memory."""

from __future__ import annotations

import lzma
import struct
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import pytest

from ebprof.symbolize import Symbolizer
from tests import slow
from tests.binutils import functions
from tests.unit.symbolize.conftest import INLINED, Compile, opened

MEMORY = 3 << 30
SECONDS = 60
"""Of CPU time: a machine that is busy elsewhere takes longer."""
PATIENCE_S = 600
HUGE = 1 << 44
SHT_SYMTAB, SHT_STRTAB, SHF_COMPRESSED = 2, 3, 0x800
CODE = 1 << 20

# Asks for symbols, PLT stubs and unwind rows of a file, within limits.
READER = """
import resource, sys
from contextlib import suppress
from ebprof.elf import ObjectFile, open_regular
from ebprof.errors import BadFileError
from ebprof.symbolize import Symbolizer
from ebprof.unwind.compile import compile_rows, frame_sections
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[3]),) * 2)
file = ObjectFile.open(open_regular(sys.argv[1]), "/app/bomb")
with suppress(BadFileError):
    for section in frame_sections(file.image):
        compile_rows(section)
(location,) = Symbolizer(cache=None).object_locations(file, [0x1010]).values()
print(location.frames[0].function)
"""


class Bomb:
    """An ELF file with a segment of code at 0x1000, built a section at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sections: list[tuple[bytes, int, int, int, int, int]] = [(b"", 0, 0, 0, 0, 0)]
        self._at = 0x1000
        self._pieces: list[tuple[int, bytes]] = []

    def add(self, name: bytes, kind: int, size: int, data: bytes = b"", **fields: int) -> None:
        """A section of `size` bytes, which begins with `data` and is a hole after it."""
        self._pieces.append((self._at, data))
        link, flags = fields.get("link", 0), fields.get("flags", 0)
        self._sections.append((name, kind, flags, self._at, size, link))
        self._at += fields.get("stored", size)

    def write(self) -> Path:
        """Write the file, sparse."""
        names = b"\0".join(section[0] for section in self._sections) + b"\0.names\0"
        self.add(b".names", SHT_STRTAB, len(names), names)
        table, count = self._at, len(self._sections)
        head = b"\x7fELF\x02\x01\x01" + bytes(9)
        head += struct.pack(
            "<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, table, 0, 64, 56, 1, 64, count, count - 1
        )
        head += struct.pack("<IIQQQQQQ", 1, 5, 0, 0x1000, 0x1000, CODE, CODE, 4096)
        with self.path.open("wb") as file:
            for place, data in [(0, head), *self._pieces]:
                file.seek(place)
                file.write(data)
            for name, kind, flags, place, size, link in self._sections:
                file.seek(table)
                row = (names.find(name + b"\0"), kind, flags, 0x1000, place, size, link, 0, 1, 24)
                file.write(struct.pack("<IIQQQQIIQQ", *row))
                table += 64
        return self.path


def read(path: Path) -> str:
    """The name of a function, as read within the limits."""
    command = [sys.executable, "-c", READER, str(path), str(MEMORY), str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def bomb(tmp_path: Path) -> Bomb:
    return Bomb(tmp_path / "bomb")


SYMBOL = struct.pack("<IBBHQQ", 1, 2, 0, 1, 0x1000, 0x100)


@pytest.mark.parametrize("size", [HUGE, 2**63, 2**64 - 1])
def test_sections_that_claim_terabytes(bomb: Bomb, size: int) -> None:
    bomb.add(b".symtab", SHT_SYMTAB, size, SYMBOL, link=2, stored=4096)
    bomb.add(b".strtab", SHT_STRTAB, size, b"\0f\0", stored=4096)
    bomb.add(b".eh_frame", 1, size, stored=4096)
    assert read(bomb.write()) == "[bomb]+0x1010"


def test_a_sparse_file_of_terabytes(bomb: Bomb) -> None:
    for name in (b".eh_frame", b".dynsym", b".rela.plt", b".plt", b".gnu_debugdata"):
        bomb.add(name, 1, 1 << 40)
    assert read(bomb.write()) == "[bomb]+0x1010"


def test_the_largest_symbol_table(bomb: Bomb) -> None:
    """As large as is still read, with names as long as are still read; a part of that here."""
    size = (128 if slow.IS_SLOW else 16) << 20
    bomb.add(b".symtab", SHT_SYMTAB, size, SYMBOL * (size // len(SYMBOL)), link=2)
    bomb.add(b".strtab", SHT_STRTAB, 256 << 20, b"\0f\0")
    assert read(bomb.write()) == "f"


def test_the_largest_plt(bomb: Bomb) -> None:
    bomb.add(b".plt", 1, 64 << 20, b"\xff\x25\0\0\0\0" + bytes(10))
    bomb.add(b".rela.plt", 1, 64 << 20, struct.pack("<QIIq", 0x1006, 7, 1, 0))
    bomb.add(b".dynsym", 1, 64 << 20, bytes(24) + SYMBOL)
    bomb.add(b".dynstr", 1, 64 << 20, b"\0f\0")
    assert read(bomb.write()) in ("f@plt", "[bomb]+0x1010")


@pytest.mark.parametrize("claimed", [100, 256 << 20, 1 << 30, 2**64 - 1])
def test_a_section_that_unpacks_to_much(bomb: Bomb, claimed: int) -> None:
    data = packed_gigabyte()
    chunk = struct.pack("<I4xQQ", 1, claimed, 1) + data
    for name in (b".eh_frame", b".debug_info", b".debug_abbrev"):
        bomb.add(name, 1, len(chunk), chunk, flags=SHF_COMPRESSED)
    assert read(bomb.write()) == "[bomb]+0x1010"


@cache
def packed_gigabyte() -> bytes:
    """Zeros, packed a part at a time; all parts but the first are the same bytes (RFC 1950)."""
    size, times = 1 << 20, 1 << 10
    packer = zlib.compressobj(9)
    first, part = (packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    last, checksum = b"\x03\x00", size * times % 65521 << 16 | 1
    return first + part * (times - 1) + last + checksum.to_bytes(4, "big")


def test_the_packed_gigabyte_is_one() -> None:
    unpacker = zlib.decompressobj()
    size, rest = 0, packed_gigabyte()
    while rest:
        size += len(unpacker.decompress(rest, 1 << 20))
        rest = unpacker.unconsumed_tail
    assert unpacker.eof and size == 1 << 30


@pytest.mark.parametrize("dictionary", [1 << 20, 1 << 30])
def test_minidebug_that_unpacks_to_much(bomb: Bomb, dictionary: int) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": dictionary}]
    if dictionary > 1 << 20:
        data = small_with_large_dictionary()
    else:
        packer = lzma.LZMACompressor(filters=filters)
        data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    bomb.add(b".gnu_debugdata", 1, len(data), data)
    assert read(bomb.write()) == "[bomb]+0x1010"


def small_with_large_dictionary() -> bytes:
    """A few bytes whose header asks for a dictionary of 1.5 GiB (xz-file-format 5.3.1)."""
    data = bytearray(lzma.compress(b"\x7fELF", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    header = data[12 : 12 + 4 * (data[12] + 1)]
    place = header.index(bytes([lzma.FILTER_LZMA2, 1])) + 2
    header[place] = 39
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    data[12 : 12 + len(header)] = header
    return bytes(data)


def test_of_many_symbol_tables_those_used_last_are_kept(
    compile_program: Compile, tmp_path: Path
) -> None:
    program = compile_program(INLINED, "g++", "-O2")
    copy = tmp_path / "copy"
    copy.write_bytes(program.read_bytes())
    start, size = functions(program)["_ZN2ns4workEi"]
    made = Symbolizer(cache=None, most_kept=1)
    with opened(program) as first, opened(copy) as second:
        for file, address in ((first, start), (second, start), (first, start + size - 1)):
            (location,) = made.object_locations(file, [address]).values()
            assert location.frames[-1].function == "ns::work(int)"
            assert len(made._objects) == 1
    (kept,) = made._objects.values()
    assert kept is not None and made._kept == kept.size
    made.close()
