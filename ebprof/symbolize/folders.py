"""Directories of ELF files that somebody gave us, by build ID: `--debug-dir`.

A file is found wherever it lies below the directory: as `.build-id/ab/cdef….debug`, whose name says
its build ID, or under any name, as `usr/bin/shop.debug`, by the build ID in it. No link is followed
that leads out of the directory, and none to another directory.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from ebprof.elf import MAGIC, ElfImage
from ebprof.errors import BadFileError
from ebprof.procfs.rooted import open_beneath
from ebprof.procfs.text import printable

MOST_FILES = 100_000
"""Below one directory; more are not looked at."""
_MOST_DEPTH = 32
_BY_NAME = re.compile(rb"(?:.*/)?\.build-id/([0-9a-f]{2})/([0-9a-f]{2,126})\.debug")

OUTSIDE, UNREADABLE, TOO_MANY = "outside", "unreadable", "too_many"
"""Why a file is not looked at."""
Note = Callable[[str, str], None]
"""Is told why, and of which file in which way: a line for people."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file. signature: another one when the file is. identity: its build ID, empty for none."""

    signature: tuple[int, ...]
    identity: str


class DebugFolder:
    """ELF files below a directory. note: is told of those that are not looked at."""

    def __init__(self, path: Path, note: Note) -> None:
        self.path = path
        self._note = note
        self._root = os.fsencode(path) + b"/"
        self._entries: dict[bytes, _Entry] = {}
        self._places: dict[str, list[bytes]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def scan(self) -> set[str]:
        """Look for files; build IDs of those that are new, or others than at the last time."""
        found: dict[bytes, _Entry] = {}
        changed = set()
        for path, info in self._walk():
            signature = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
            entry = self._entries.get(path)
            if entry is None or entry.signature != signature:
                entry = _Entry(signature, self._identify(path))
                changed.add(entry.identity)
            found[path] = entry
        self._entries, self._places = found, {}
        for path, entry in found.items():
            self._places.setdefault(entry.identity, []).append(path)
        self._places.pop("", None)
        return changed - {""}

    def open(self, build_id: str) -> Iterator[FileIO]:
        """The files that have a build ID, open, one by one; each is the caller's to close."""
        for path in self._places.get(build_id, ()):
            file = self._open(path)
            if file is None:
                continue
            if is_whole(file, build_id):
                yield file
                continue
            self._refuse(UNREADABLE, path, f"it is no whole ELF file of the build ID {build_id}")
            file.close()

    def _walk(self) -> Iterator[tuple[bytes, os.stat_result]]:
        """All regular files, by their paths in the directory."""
        ahead, count = [b""], 0
        while ahead:
            directory = ahead.pop()
            for entry in self._listed(directory):
                path = directory + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if path.count(b"/") < _MOST_DEPTH:
                        ahead.append(path + b"/")
                    continue
                with suppress(OSError):
                    info = entry.stat()
                    if not stat.S_ISREG(info.st_mode):
                        continue
                    count += 1
                    if count > MOST_FILES:
                        self._note(TOO_MANY, f"{self.path} has more than {MOST_FILES:,} files")
                        return
                    yield path, info

    def _listed(self, directory: bytes) -> list[os.DirEntry[bytes]]:
        try:
            with os.scandir(self._root + directory) as found:
                return sorted(found, key=lambda one: one.name)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR) or not directory:
                self._refuse(UNREADABLE, directory, (error.strerror or "").lower())
            return []

    def _identify(self, path: bytes) -> str:
        """The build ID that a file has, or is called by."""
        file = self._open(path)
        if file is None:
            return ""
        with file:
            try:
                if os.pread(file.fileno(), len(MAGIC), 0) != MAGIC:
                    return ""
                match = _BY_NAME.fullmatch(path)
                return (match[1] + match[2]).decode() if match else ElfImage(file).build_id
            except (OSError, BadFileError) as error:
                self._refuse(UNREADABLE, path, str(error))
                return ""

    def _open(self, path: bytes) -> FileIO | None:
        try:
            return open_beneath(str(self.path), path)
        except OSError as error:
            is_outside = error.errno == errno.EXDEV
            why = "a link leads out of the directory" if is_outside else str(error.strerror).lower()
            self._refuse(OUTSIDE if is_outside else UNREADABLE, path, why)
        except BadFileError as error:
            self._refuse(UNREADABLE, path, error.message)
        return None

    def _refuse(self, why: str, path: bytes, text: str) -> None:
        where = printable(os.fsdecode(self._root + path))
        self._note(why, f"{where}: {text}")


def is_whole(file: FileIO, build_id: str) -> bool:
    """Whether a file has a build ID, and its section headers, which stand at its end."""
    try:
        image = ElfImage(file)
        return image.build_id == build_id and bool(image.sections)
    except BadFileError:
        return False
