"""Object files that others sent: unpacked, and seen to be what they were said to be."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

from ebprof.elf import ElfImage, ObjectFile, open_regular
from ebprof.errors import BadFileError
from ebprof.symbolize.excerpts import unpack
from ebprof.symbolize.ids import object_id
from ebprof.symbolize.quality import Quality, quality_of


def receive(stream: Path, target: Path, identity: str) -> Quality:
    """Write the file that a stream is an excerpt of, to disk; returns how good it is.

    Raises BadFileError where it is none, or another object's; OSError.
    """
    with FileIO(str(stream)) as packed, FileIO(str(target), "w+b") as file:
        unpack(packed, file)
        image = ElfImage(file)
        found = object_id(image)
        if found != identity:
            raise BadFileError(f"it is the object {found}, not {identity}")
        quality = quality_of(image)
        os.fsync(file.fileno())
        return quality


def open_received(path: Path) -> ObjectFile:
    """An object file that was received; raises OSError, BadFileError."""
    return ObjectFile.open(open_regular(str(path)), str(path))
