"""Separate debug files: by build ID and by `.gnu_debuglink` (GDB manual, "Separate Debug Files").

They are looked for under the root of the process that maps the object, then under ours. A file
counts only when its build ID, or the debug link's CRC, is the right one.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from ..elf import DebugLink, ElfImage, ObjectFile, open_regular
from ..errors import BadFileError

DEBUG_ROOT = "/usr/lib/debug"

_MAX_CHECKED = 4 << 30
_BLOCK = 1 << 20


def find_debug_file(file: ObjectFile, debug_root: str = DEBUG_ROOT) -> FileIO | None:
    """The debug file of an object, open; None when there is none."""
    build_id = file.image.build_id
    for root in dict.fromkeys((file.root, "")):
        for path in _build_id_paths(root + debug_root, build_id):
            found = _open_with_build_id(path, build_id)
            if found is not None:
                return found
    return _find_linked(file, debug_root)


def has_dwarf(image: ElfImage) -> bool:
    """True when an object carries DWARF itself."""
    try:
        return bool(image.section(".debug_info") or image.section(".zdebug_info"))
    except BadFileError:
        return False


def _build_id_paths(debug_root: str, build_id: str) -> Iterator[str]:
    if len(build_id) > 2:
        yield f"{debug_root}/.build-id/{build_id[:2]}/{build_id[2:]}.debug"


def _find_linked(file: ObjectFile, debug_root: str) -> FileIO | None:
    link = _link_or_none(file.image)
    if link is None or not file.path.startswith("/"):
        return None
    directory = os.fsencode(Path(file.path).parent)
    for root in dict.fromkeys((file.root, "")):
        for path in _linked_paths(os.fsencode(root), directory, os.fsencode(debug_root), link):
            found = _open_linked(path, file.image.build_id, link)
            if found is not None:
                return found
    return None


def _link_or_none(image: ElfImage) -> DebugLink | None:
    try:
        link = image.debuglink
    except BadFileError:
        return None
    return link if link and b"/" not in link.name else None


def _linked_paths(
    root: bytes, directory: bytes, debug_root: bytes, link: DebugLink
) -> Iterator[bytes]:
    yield root + directory + b"/" + link.name
    yield root + directory + b"/.debug/" + link.name
    yield root + debug_root + directory + b"/" + link.name


def _open_with_build_id(path: str, build_id: str) -> FileIO | None:
    file = _open_or_none(path)
    if file is not None and _build_id_of(file) != build_id:
        file.close()
        return None
    return file


def _open_linked(path: bytes, build_id: str, link: DebugLink) -> FileIO | None:
    file = _open_or_none(path)
    if file is None:
        return None
    if (build_id and _build_id_of(file) == build_id) or _crc(file) == link.crc:
        return file
    file.close()
    return None


def _open_or_none(path: str | bytes) -> FileIO | None:
    try:
        return open_regular(path)
    except (OSError, BadFileError):
        return None


def _build_id_of(file: FileIO) -> str:
    try:
        return ElfImage(file).build_id
    except BadFileError:
        return ""


def _crc(file: FileIO) -> int:
    """CRC-32 of a whole file; -1 for one that is too large to check."""
    if os.fstat(file.fileno()).st_size > _MAX_CHECKED:
        return -1
    crc = 0
    file.seek(0)
    while block := file.read(_BLOCK):
        crc = zlib.crc32(block, crc)
    return crc
