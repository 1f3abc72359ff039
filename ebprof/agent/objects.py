"""Object files that a collector may want: open as long as that may be, and what to send of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO

from ebprof.elf import ElfImage, ObjectFile
from ebprof.errors import BadFileError
from ebprof.symbolize.debugfiles import DebugFiles, has_dwarf
from ebprof.symbolize.excerpts import Excerpt, excerpt_of
from ebprof.symbolize.quality import Quality, quality_of

MOST_MET = 4096
"""Files that wait to be offered; more are met again later."""


@dataclass(frozen=True, slots=True)
class Met:
    """An object file in which addresses were met; file is open, and ours to close.

    root: of a process that maps it, where its debug file is looked for.
    """

    identity: str
    path: str
    root: str
    file: FileIO


class Objects:
    """Takes note of object files from the thread that looks addresses up, for another thread.

    unopened: files that could not be kept open, as too many are. changed: set when there are new
    ones.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._new: list[Met] = []
        self.changed = threading.Event()
        self.unopened = 0

    def met(self, identity: str, file: ObjectFile) -> None:
        """Keep a file open, unless it is known already."""
        with self._lock:
            if identity in self._known or len(self._new) >= MOST_MET:
                return
            self._known.add(identity)
            try:
                kept = FileIO(os.dup(file.fd), "rb")
            except OSError:
                self.unopened += 1
                return
            self._new.append(Met(identity, file.path, file.root, kept))
            self.changed.set()

    def take(self) -> list[Met]:
        """Those that are new since the last call."""
        with self._lock:
            self.changed.clear()
            found, self._new = self._new, []
            return found

    def forget(self, identity: str) -> None:
        """Have an object noted again when it is met."""
        with self._lock:
            self._known.discard(identity)


@dataclass(frozen=True, slots=True)
class Offering:
    """What can be sent of an object file, or of its separate debug file; file: open, to be closed.

    path: of the object, for people.
    """

    identity: str
    is_debug: bool
    quality: Quality
    excerpt: Excerpt
    file: FileIO
    path: str

    @property
    def is_deleted(self) -> bool:
        """Whether the file takes space on disk as long as we have it open, and no longer."""
        return os.fstat(self.file.fileno()).st_nlink == 0


def offerings(met: Met, debug_files: DebugFiles) -> Iterator[Offering]:
    """What there is of an object; raises BadFileError where it cannot be read any more."""
    file = ObjectFile.open(met.file, met.path, met.root)
    yield offering_of(met.identity, met.path, file.image, met.file, is_debug=False)
    if has_dwarf(file.image) or not file.image.build_id:
        return
    debug = debug_files.find(file)
    if debug is None:
        return
    try:
        image = ElfImage(debug)
        if image.build_id == met.identity:  # by which the collector knows it
            yield offering_of(met.identity, met.path, image, debug, is_debug=True)
            return
    except BadFileError:
        pass
    debug.close()


def offering_of(
    identity: str, path: str, image: ElfImage, file: FileIO, *, is_debug: bool
) -> Offering:
    """What there is of an open file; raises BadFileError."""
    return Offering(identity, is_debug, quality_of(image), excerpt_of(image), file, path)
