"""A recorded profile that could not be written where it was to go is kept elsewhere."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ebprof.errors import EbprofError
from ebprof.model import Profile
from ebprof.output._files import write_file
from ebprof.output._protocol import OutputFormat

PLACES = ("/dev/shm", "/tmp")
"""Where there may be room, after $TMPDIR."""


def rescue(profile: Profile, output: OutputFormat) -> str | None:
    """Write a profile to a new file, which only its owner reads, where there is room for it.

    Returns its path; None where there is room nowhere.
    """
    for place in _places():
        if path := _write(profile, output, place):
            return path
    return None


def _places() -> Iterator[str]:
    wanted = os.environ.get("TMPDIR")
    yield from dict.fromkeys(filter(None, (wanted, *PLACES)))


def _write(profile: Profile, output: OutputFormat, place: str) -> str | None:
    suffix = next(iter(output.SUFFIXES), "")
    try:
        descriptor, path = tempfile.mkstemp(prefix="ebprof-", suffix=suffix, dir=place)
    except OSError:
        return None
    os.close(descriptor)
    try:
        write_file(profile, output, path)
    except EbprofError:
        Path(path).unlink(missing_ok=True)
        return None
    return path
