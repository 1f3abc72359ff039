"""Code in files that are no ELF files: .NET and Wine images, a JIT's cache in a memfd.

Nothing names it, but where it is in its file does not change from process to process.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter

from ebprof.errors import EbprofError
from ebprof.model import Mapping
from ebprof.procfs import process
from ebprof.procfs.maps import MapsEntry, read_maps
from ebprof.procfs.text import printable
from ebprof.walls import Walls

_MOST_ENTRIES = 1 << 14
"""Executable mappings of a process that are kept, the lowest ones."""
_MOST_READINGS = 4
"""Lists of mappings of a process that are kept: what was mapped before may be gone by now."""
_SHARED_MEMORY = "/dev/zero"
"""What the kernel calls anonymous memory that is shared."""

_start = attrgetter("start")

IsObject = Callable[[MapsEntry], bool]
"""Whether what is mapped is an object file by which samples are named, if they are in it."""


@dataclass(frozen=True, slots=True)
class Place:
    """An offset in a mapped file; mapping: of which addresses are offsets in the file, too."""

    offset: int
    mapping: Mapping


class MappedFiles:
    """Which file, and where in it, an address of a process is. Files themselves are not read."""

    def __init__(self, walls: Walls) -> None:
        self._walls = walls
        self._readings: dict[int, list[tuple[MapsEntry, ...]]] = {}
        self._start_times: dict[int, int] = {}

    def refresh(self, pid: int) -> None:
        """Read what a process has mapped, if it is still there."""
        with self._walls.around(f"/proc/{pid}/maps"), suppress(EbprofError):
            start_time = process.start_time(pid)
            entries = tuple(read_maps(pid)[:_MOST_ENTRIES])
            if self._start_times.setdefault(pid, start_time) != start_time:
                self.forget(pid)  # another process has its number now
            self._start_times[pid] = start_time
            readings = self._readings.setdefault(pid, [])
            if entries and entries not in readings[:1]:
                readings.insert(0, entries)
                del readings[_MOST_READINGS:]

    def find(self, pid: int, address: int, is_object: IsObject) -> Place | None:
        """By what a process has mapped, or had; None for memory without a file, and where nobody
        knows what was sampled: where there was other code meanwhile, or an object file is now.
        """
        places = set()
        for entries in self._readings.get(pid, ()):
            index = bisect_right(entries, address, key=_start) - 1
            if index >= 0 and address < entries[index].end:
                entry = entries[index]
                places.add(None if is_object(entry) else _place(entry, address))
        return places.pop() if len(places) == 1 else None

    def forget(self, pid: int) -> None:
        """A process is gone."""
        self._readings.pop(pid, None)
        self._start_times.pop(pid, None)


def _place(entry: MapsEntry, address: int) -> Place | None:
    if not entry.inode or entry.path == _SHARED_MEMORY:
        return None
    limit = entry.offset + entry.end - entry.start
    mapping = Mapping(printable(entry.path), "", entry.offset, limit, entry.offset)
    return Place(entry.offset + address - entry.start, mapping)
