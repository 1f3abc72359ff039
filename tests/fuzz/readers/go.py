"""Go's table of functions, in a file that is otherwise as Go's linker makes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ebprof.elf import ElfImage, memory_file
from ebprof.errors import BadFileError
from ebprof.symbolize.go import read_go_symbols
from ebprof.unwind.object_rows import object_rows
from tests.unit.go_builder import DATA, TABLE, TEXT, GoFile

VERSIONS = ("1.2", "1.16", "1.18", "1.20", "1.26")
ADDRESSES = (0, TEXT, TEXT + 0x25, TEXT + 0x100, TABLE, DATA, 2**63, 2**64 - 1)


def read(data: bytes) -> None:
    """The names and rows of any file."""
    with memory_file(data) as file, suppress(BadFileError):
        image = ElfImage(file)
        with suppress(BadFileError):
            object_rows(image, [])
        symbols = read_go_symbols(image)
        for address in ADDRESSES if symbols else ():
            for call in symbols.find(address) if symbols else ():
                assert call.name.isprintable() and call.file.isprintable()


def seeds() -> Iterator[bytes]:
    """Each version's table, with and without what leads to it."""
    for version in VERSIONS:
        yield GoFile(version).build()
        yield GoFile(version, section="", pie=True).build()
