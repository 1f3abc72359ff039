"""Where functions begin and end that may have no symbol: by `.eh_frame`, which `strip` leaves.

The reader is that of unwind tables, `unwind/eh_frame.h`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from ebprof._native import ffi, lib
from ebprof.elf import ElfImage, Section
from ebprof.errors import BadFileError
from ebprof.symbolize.ranges import RangeTable

MAX_SECTION = 128 << 20
"""Bytes of one `.eh_frame`; Chromium's has 30 MB."""
_EXTENT = np.dtype([("start", "<u8"), ("end", "<u8")])

Addresses = npt.NDArray[np.uint64]


def function_extents(image: ElfImage) -> RangeTable:
    """Addresses (p_vaddr) from where to where functions with unwind information go.

    Parts of a function that a compiler moved elsewhere are apart. Empty where there is no such
    information, or where it cannot be read.
    """
    extents = np.empty(0, _EXTENT)
    with suppress(BadFileError):
        extents = _read(image)
    extents = extents[np.argsort(extents["start"], kind="stable")]
    return RangeTable(*(np.ascontiguousarray(extents[end], np.uint64) for end in ("start", "end")))


def bounds_of(extents: RangeTable) -> Addresses:
    """Addresses where any of some functions begins or ends, in order."""
    return np.sort(np.concatenate([extents.starts, extents.ends]), kind="stable")


def _read(image: ElfImage) -> npt.NDArray[np.void]:
    code = [segment for segment in image.segments if segment.executable]
    section = image.eh_frame_section()
    if section is None or not code or not image.is_64 or image.machine != lib.EH_MACHINE:
        return np.empty(0, _EXTENT)
    contents = image.contents(section, MAX_SECTION)
    data = ffi.from_buffer("uint8_t[]", contents)
    place = {
        "data": data,
        "size": len(contents),
        "address": section.address,
        "text_address": _address(image, ".text"),
        "data_address": _address(image, ".got.plt") or _address(image, ".got"),
        "code_start": min(segment.address for segment in code),
        "code_limit": max(segment.address + segment.memory_size for segment in code),
        "ends_at_terminator": _section_or_none(image, ".eh_frame") is None,
    }
    return _extents(ffi.new("struct eh_section *", place))


def _extents(section: Any) -> npt.NDArray[np.void]:
    """Those of a `struct eh_section *`, in its order."""
    size = section.size
    scratch = np.empty(lib.eh_frame_scratch_size(size), np.uint8)
    found = np.empty(lib.eh_frame_extent_bound(size), _EXTENT)
    count = ffi.new("uint64_t *")
    lib.eh_frame_extents(
        section,
        ffi.from_buffer("uint8_t[]", scratch, require_writable=True),
        len(scratch),
        ffi.from_buffer("struct code_extent[]", found, require_writable=True),
        count,
    )
    return found[: count[0]].copy()


def _address(image: ElfImage, name: str) -> int:
    section = _section_or_none(image, name)
    return 0 if section is None else section.address


def _section_or_none(image: ElfImage, name: str) -> Section | None:
    try:
        return image.section(name)
    except BadFileError:
        return None
