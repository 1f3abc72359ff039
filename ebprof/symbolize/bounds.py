"""Where functions begin and end that may have no symbol: by the index of `.eh_frame`.

Its format is that of the LSB (core, 10.6.2). Only the encodings that linkers write are read.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from ebprof.elf import SECTION_LIMIT, ElfImage
from ebprof.errors import BadFileError

_HEADER = struct.Struct("<BBBBiI")
# Offsets of four bytes from their own place, a count of four bytes, offsets from the index.
_ENCODINGS = (1, 0x1B, 0x03, 0x3B)
_MAX_ENTRIES = 1 << 22
_BEGIN, _SIZE, _DESCRIPTION_SIZE = 8, 12, 16

Addresses = npt.NDArray[np.uint64]


def function_bounds(image: ElfImage) -> Addresses:
    """Addresses (p_vaddr) where a function with unwind information begins or ends, in order.

    None of them where there is no index, or where it makes no sense.
    """
    try:
        starts, descriptions = _index(image)
        ends = starts + _sizes(image, starts, descriptions)
    except (BadFileError, struct.error):
        return np.empty(0, np.uint64)
    return np.sort(np.concatenate([starts, ends]), kind="stable").astype(np.uint64)


def _index(image: ElfImage) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where functions begin and where their descriptions (FDEs) are, int64[n] each."""
    place = image.place_of("PT_GNU_EH_FRAME")
    if place is None or image.byte_order != "<":
        return np.empty(0, np.int64), np.empty(0, np.int64)
    *encodings, _, count = _HEADER.unpack(image.bytes_at(place.address, _HEADER.size))
    if tuple(encodings) != _ENCODINGS or count > _MAX_ENTRIES:
        raise BadFileError("unknown .eh_frame_hdr")
    data = image.bytes_at(place.address + _HEADER.size, 8 * count)
    pairs = np.frombuffer(data, "<i4").reshape(-1, 2).astype(np.int64) + place.address
    return pairs[:, 0], pairs[:, 1]


def _sizes(
    image: ElfImage, starts: npt.NDArray[np.int64], descriptions: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Bytes of functions; 0 where a description is not the one that the index says."""
    if not len(descriptions):
        return starts
    first = int(descriptions.min())
    size = int(descriptions.max()) + _DESCRIPTION_SIZE - first
    if first < 0 or size > SECTION_LIMIT:
        raise BadFileError("descriptions too far apart")
    data = np.frombuffer(image.bytes_at(first, size), np.uint8)
    places = descriptions - first
    begins = _numbers(data, places + _BEGIN).view(np.int32) + descriptions + _BEGIN
    sizes = _numbers(data, places + _SIZE).astype(np.int64)
    return np.where(begins == starts, sizes, 0)


def _numbers(data: npt.NDArray[np.uint8], places: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    found: npt.NDArray[np.uint32] = data[places[:, None] + np.arange(4)].copy().view("<u4")
    return found[:, 0]
