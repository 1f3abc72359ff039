"""Names for addresses in object files that agents sent, as the profiler itself gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from ebprof.elf import ObjectFile
from ebprof.errors import BadFileError
from ebprof.model import Frame, Location, Mapping
from ebprof.symbolize.received import open_received
from ebprof.symbolize.symbolizer import Symbolizer
from ebprof.walls import MOST_NOTES, Walls

MOST_KEPT = 256 << 20
"""Bytes of symbols that are kept from one look-up to the next."""
MOST_LOOKUPS = 1_000
"""After so many all is let go: a symbolizer has budgets for a run that ends."""
MAX_TEXT = 64 << 20
"""Characters of all names of one look-up."""

Frames = tuple[Frame, ...]
"""Of one address, innermost inlined call first; none where it has no name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of an address. start: where the function begins that holds it (p_vaddr), if it
    has no name; None where that is not known either.
    """

    frames: Frames = ()
    start: int | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """What to look up: offsets in an object file. version: of what there is of the object.

    path, debug: its file, and its separate debug file, empty without one.
    """

    path: str
    debug: str
    version: int
    offsets: tuple[int, ...]


class Names:
    """Answers look-ups. cache: directory for SymCaches."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._lookups = self._earlier = 0
        self._told: set[str] = set()
        self._walls = Walls()
        self._versions: dict[str, int] = {}
        self._debug_files = _DebugFiles()
        self._symbolizer = self._new()

    def find(self, lookup: Lookup) -> list[Answer]:
        """What is known of each offset; raises BadFileError, OSError."""
        self._renew()
        self._debug_files.path = lookup.debug
        file = open_received(Path(lookup.path))
        try:
            self._note_version(file, lookup.version)
            return self._find(file, lookup.offsets)
        finally:
            self._symbolizer.forget_locations(file.key)
            self._symbolizer.trim()
            file.close()

    def warnings(self) -> Iterator[str]:
        """What went wrong, that was not told before: the first few sentences."""
        for warning in (*self._symbolizer.warnings, *self._walls.warnings):
            if warning not in self._told and len(self._told) < MOST_NOTES:
                self._told.add(warning)
                yield warning

    @property
    def problems(self) -> int:
        """What could not be read of files, so far."""
        return self._earlier + self._symbolizer.problems + self._walls.failed

    def close(self) -> None:
        """End the worker."""
        self._symbolizer.close()

    def _find(self, file: ObjectFile, offsets: Sequence[int]) -> list[Answer]:
        addresses = [file.image.code_address(one) for one in offsets]
        known = {one for one in addresses if one is not None}
        locations = self._symbolizer.object_locations(file, known)
        starts = self._symbolizer.starts
        answers: dict[int | None, Answer] = {
            address: Answer(one.frames, starts.get(address)) for address, one in locations.items()
        }
        starts.clear()
        found = [answers.get(one, Answer()) for one in addresses]
        _check_size([one.frames for one in found])
        return found

    def _note_version(self, file: ObjectFile, version: int) -> None:
        """Read an object anew when there is something better for it."""
        if self._versions.get(file.path) not in (None, version):
            self._symbolizer.forget_object(file.key)
        self._versions[file.path] = version

    def _renew(self) -> None:
        self._lookups += 1
        if self._lookups > MOST_LOOKUPS:
            self._lookups = 1
            self._symbolizer.close()
            self._earlier += self._symbolizer.problems
            self._versions.clear()
            self._symbolizer = self._new()

    def _new(self) -> _LookupSymbolizer:
        return _LookupSymbolizer(
            cache=self._cache, walls=self._walls, debug_files=self._debug_files, most_kept=MOST_KEPT
        )


class _LookupSymbolizer(Symbolizer):
    """Leaves what has no name without frames: who asked knows what its module is called.

    starts: where the functions of such addresses begin, by address. problems: warnings so far.
    """

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.starts: dict[int, int] = {}
        self.problems = 0

    def _nameless_location(self, address: int, mapping: Mapping, start: int | None) -> Location:
        if start is not None:
            self.starts[address] = start
        return Location(address, mapping, ())

    def _warn(self, what: str) -> None:
        self.problems += 1
        super()._warn(what)


class _DebugFiles:
    """Finds the debug file that the look-up names."""

    def __init__(self) -> None:
        self.path = ""

    def find(self, file: ObjectFile) -> FileIO | None:
        if not self.path:
            return None
        try:
            return FileIO(self.path)
        except OSError:
            return None


def _check_size(found: Sequence[Frames]) -> None:
    """Raises BadFileError where names are so long that somebody must have meant it."""
    size = 0
    for frames in found:
        size += sum(len(one.function) + len(one.system_name) + len(one.file) for one in frames)
        if size > MAX_TEXT:
            raise BadFileError("its names are too long")
