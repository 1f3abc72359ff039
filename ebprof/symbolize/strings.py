"""Names in tables of strings, each of which ends in NUL."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from ebprof.procfs.text import printable

MAX_NAME = 16 << 10
"""Bytes of a symbol's name that are read; the longest in libLLVM and Chromium have about 4,000."""


def string_at(strings: bytes, offset: int) -> str:
    """The string at an offset, printable; '' beyond the end and for one that is too long."""
    end = strings.find(b"\0", offset, offset + MAX_NAME)
    return printable(strings[offset:end]) if end >= 0 else ""


def may_hold(text: bytes, strings: bytes, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the strings at these offsets may hold a text: some that are much longer, too."""
    places = np.array([one.start() for one in re.finditer(re.escape(text), strings)], np.int64)
    ends = np.append(places, np.iinfo(np.int64).max)
    found: npt.NDArray[np.bool_] = ends[ends.searchsorted(offsets)] - offsets < MAX_NAME
    return found
