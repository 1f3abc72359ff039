"""JSON lines, one a slice of time, for programs that read on while lines are added.

A line is what the format `json` writes of the slice as a run of its own; of a profile that is not
in slices there is one line.
"""

from __future__ import annotations

from typing import BinaryIO

from ebprof.model import Profile
from ebprof.output import json
from ebprof.output._window import slices

SUFFIXES = (".jsonl", ".ndjson")
KEEPS_TIMES = True
KEEPS_TYPES = True


class Lines:
    """A sink that writes a line a window, at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def append(self, window: Profile) -> None:
        """Write a window as one line."""
        json.write(window, self._file)
        self._file.flush()

    def close(self) -> None:
        """There is nothing left to write: each line is whole."""


def open_sink(file: BinaryIO) -> Lines:
    """A sink that writes to an open file."""
    return Lines(file)


def write(profile: Profile, file: BinaryIO) -> None:
    """Write the slices in their order, ASCII only."""
    sink = open_sink(file)
    for window in slices(profile):
        sink.append(window)
    sink.close()
