"""How far functions reach of which nothing but their start is told: by their instructions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ebprof._native import ffi, lib
from ebprof.elf import ElfImage
from ebprof.errors import BadFileError

MOST_CODE = 64 << 10
"""Bytes of one function."""
_MOST_READ = 16 << 20
"""Bytes of an object: what comes after that reaches no further than its start."""
_X86_64 = 62

Addresses = npt.NDArray[np.uint64]


def sure_ends(image: ElfImage, starts: Addresses, ends: Addresses) -> Addresses:
    """Where each function surely ends, at the latest where something else is known to begin."""
    found = starts + np.uint64(1)
    left = _MOST_READ
    for index, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        size = min(end - start, MOST_CODE)
        if size <= 1 or size > left:
            continue
        left -= size
        found[index] = start + max(1, _sure_size(image, start, size))
    bounded: Addresses = np.minimum(found, ends)
    return bounded


def _sure_size(image: ElfImage, start: int, size: int) -> int:
    if image.machine != _X86_64:
        return 0
    try:
        code = image.bytes_at(start, size)
    except BadFileError:
        return 0
    return int(lib.sure_size(ffi.from_buffer("uint8_t[]", code), size))
