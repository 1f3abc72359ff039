"""Object files that others wrote: copied, and seen to be what they were said to be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from ebprof.elf import ElfImage, ObjectFile, Section, open_regular
from ebprof.errors import BadFileError
from ebprof.symbolize import excerpts
from ebprof.symbolize.excerpts import Excerpt, excerpt_of, needed_sections
from ebprof.symbolize.ids import object_id
from ebprof.symbolize.quality import Quality, quality_of

MAX_PLAIN = 4 << 30
"""Bytes of all sections that names are made of, unpacked: what their reader may take."""


def receive(stream: Path, target: Path, identity: str) -> Quality:
    """Write the file that a stream is an excerpt of, to disk; returns how good it is.

    Raises BadFileError where it is none, or another object's; OSError.
    """
    with FileIO(str(stream)) as packed, FileIO(str(target), "w+b") as file:
        return _checked(file, identity, excerpts.unpack(packed, file))


def copy(source: FileIO, target: Path, identity: str, most: int) -> Quality:
    """Write what of a file names are made of, to disk, at most so many bytes; raises the same."""
    image = ElfImage(source)
    excerpt = excerpt_of(image)
    if excerpt.length > most:
        raise BadFileError(f"its symbols are more than {most >> 20} MiB")
    _check_sections(image, excerpt)  # before much is written in vain
    with FileIO(str(target), "w+b") as file:
        excerpts.copy(source, excerpt, file)
        return _checked(file, identity, excerpt)


def kind_of(file: FileIO) -> tuple[bool, Quality]:
    """Whether a file is a separate debug file, and how good it is; raises BadFileError."""
    image = ElfImage(file)
    return is_debug_file(image), quality_of(image)


def is_debug_file(image: ElfImage) -> bool:
    """Whether a file has what was taken from another: the places of its code are empty."""
    code = list(_code(image))
    return bool(code) and not any(one.has_contents for one in code)


def has_code(image: ElfImage) -> bool:
    """Whether a file is a program or library, or the debug file of one, and not a part of those of
    several, as `dwz` makes them.
    """
    return any(segment.executable for segment in image.segments)


def open_received(path: Path) -> ObjectFile:
    """An object file that was received; raises OSError, BadFileError."""
    return ObjectFile.open(open_regular(str(path)), str(path))


def _code(image: ElfImage) -> Iterator[Section]:
    """Sections that are mapped to be run, or lie among them."""
    places = [
        range(one.address, one.address + one.memory_size)
        for one in image.segments
        if one.executable
    ]
    for section in image.sections:
        is_within = any(section.address in place for place in places)
        if is_within and section.size and not section.name.startswith(".note"):
            yield section


def _checked(file: FileIO, identity: str, sent: Excerpt) -> Quality:
    """How good a file is that was written; raises BadFileError where it is not as it should be."""
    image = ElfImage(file)
    found = object_id(image)
    if found != identity:
        raise BadFileError(f"it is the object {found}, not {identity}")
    _check_sections(image, sent)
    quality = quality_of(image)
    os.fsync(file.fileno())
    return quality


def _check_sections(image: ElfImage, sent: Excerpt) -> None:
    """Raise BadFileError where sections have less bytes than they say, or more than can be read."""
    size = 0
    for section in needed_sections(image):
        if section.offset + section.size > image.size:
            raise BadFileError(f"it is cut off: section {section.name} lies beyond its end")
        if not sent.has(section.offset, section.size):
            raise BadFileError(f"section {section.name} is not in it")
        size += image.plain_size(section)
        if size > MAX_PLAIN:
            raise BadFileError(f"its sections are more than {MAX_PLAIN >> 30} GiB, unpacked")
