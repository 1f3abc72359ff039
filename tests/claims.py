"""Has sections of a file say what is not so: of ELF, 64 bits, little endian."""

from __future__ import annotations

import struct
from pathlib import Path

from ebprof.elf import ElfImage, Section

HEADER = struct.Struct("<IIQQQQIIQQ")
"""Of a section: name, type, flags, address, offset, size, link, info, alignment, entry."""
FIELDS = {"flags": 2, "offset": 4, "size": 5}
COMPRESSED = 0x800
COMPRESSION = struct.Struct("<IIQQ")
"""What a compressed section begins with: how, nothing, size when unpacked, alignment."""
ZLIB, ZSTD = 1, 2


def change(path: Path, name: str, **fields: int) -> Section:
    """Have a section say something else of itself: flags, offset or size."""
    with path.open("r+b", buffering=0) as file:
        image = ElfImage(file)
        number = [one.name for one in image.sections].index(name)
        _, (start, end) = image.header_places
        place = start + number * HEADER.size
        assert place < end
        file.seek(place)
        values = list(HEADER.unpack(file.read(HEADER.size)))
        for field, value in fields.items():
            values[FIELDS[field]] = value
        file.seek(place)
        file.write(HEADER.pack(*values))
        return image.sections[number]


def compressed(path: Path, kind: int, claimed: int, data: bytes = b"") -> None:
    """Have .debug_info be compressed, and say how large it is when it is unpacked."""
    section = change(path, ".debug_info", flags=COMPRESSED)
    with path.open("r+b", buffering=0) as file:
        file.seek(section.offset)
        packed = COMPRESSION.pack(kind, 0, claimed, 1) + data
        assert len(packed) <= section.size
        file.write(packed)
