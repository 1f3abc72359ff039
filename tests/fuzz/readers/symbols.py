"""Object files as a symbolizer reads them: DWARF by its worker, symbols, runtimes, debug files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache

from ebprof import walls
from ebprof.elf import ObjectFile, memory_file
from ebprof.errors import BadFileError
from ebprof.symbolize import Symbolizer
from tests.fuzz.readers import elf

MOST = 30


@cache
def symbolizer() -> Symbolizer:
    os.environ[walls.ENVIRONMENT] = "1"
    return Symbolizer(cache=None)


def read(data: bytes) -> None:
    """Every address gets a location, and no surprise comes out on the way."""
    file = memory_file(data)
    try:
        known = ObjectFile.open(file, "/nowhere/x.so")
    except BadFileError:
        return
    addresses = {0, 0x1000, 0x1010, 2**63, 2**64 - 1}
    addresses |= {one.address for one in known.image.segments[:MOST]}
    found = symbolizer().object_locations(known, addresses)
    assert found.keys() == addresses
    frames = [frame for location in found.values() for frame in location.frames]
    assert frames and all(one.function and one.function.isprintable() for one in frames)
    symbolizer().forget_object(known.key)
    symbolizer()._known.clear()
    known.close()


def seeds() -> Iterator[bytes]:
    """Those of the ELF reader."""
    return elf.seeds()
