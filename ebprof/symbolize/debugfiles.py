"""Separate debug files: by build ID and by `.gnu_debuglink` (GDB manual, "Separate Debug Files").

They are looked for in directories that the user names, under the root of the process that maps the
object, then under ours. A file counts only when its build ID, or the debug link's CRC, is the right
one. What the user did not name has to be the object's owner's or everybody's as well: the process
could lead us to what it may not read itself.
Beside the object no link is followed, elsewhere none that leads out of the root.
"""

from __future__ import annotations

import os
import stat
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Protocol

from ebprof.elf import DebugLink, ElfImage, ObjectFile
from ebprof.errors import BadFileError
from ebprof.procfs.rooted import open_beneath, open_rooted
from ebprof.symbolize.budget import Budget
from ebprof.symbolize.folders import DebugFolder

DEBUG_ROOT = "/usr/lib/debug"

_MAX_CHECKED = 1 << 30
_BLOCK = 1 << 20
_OWN_ROOT = "/"


class DebugFinder(Protocol):
    """Knows where separate debug files are."""

    def find(self, file: ObjectFile) -> FileIO | None:
        """The debug file of an object, open; None when there is none."""


class DebugFiles:
    """Finds debug files. checksums: bytes that may be read for them in a run. folders: where they
    are looked for first; what these hold that cannot be read, `warn` is told.
    """

    def __init__(
        self,
        checksums: Budget,
        debug_root: str = DEBUG_ROOT,
        folders: Sequence[Path] = (),
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._checksums = checksums
        self._debug_root = os.fsencode(debug_root)
        self._folders = [DebugFolder(path, lambda _, text: warn(text)) for path in folders]
        self._is_scanned = False
        self._lock = threading.Lock()

    def find(self, file: ObjectFile) -> FileIO | None:
        """The debug file of an object, open; None when there is none."""
        found = self._in_folders(file)
        if found is not None:
            return found
        search = _Search(file, self._checksums)
        for path in self._build_id_paths(file.image.build_id):
            found = search.open(path, follow=True)
            if found is not None:
                return found
        link = _link_or_none(file.image)
        if link is None or not file.path.startswith("/"):
            return None
        directory = os.fsencode(Path(file.path).parent)
        for path, follow in self._linked_paths(directory, link.name):
            found = search.open(path, follow=follow, link=link)
            if found is not None:
                return found
        return None

    def _in_folders(self, file: ObjectFile) -> FileIO | None:
        """The first file with DWARF of those with an object's build ID, else the first of these;
        where there is none, the one that its debug link names.
        """
        if not self._folders:
            return None
        self._scan()
        build_id = file.image.build_id
        files = [one for folder in self._folders for one in folder.open(build_id)]
        if not files:
            return self._linked_in_folders(file)
        found = max(files, key=lambda one: has_dwarf(ElfImage(one)))
        for one in files:
            if one is not found:
                one.close()
        return found

    def _scan(self) -> None:
        with self._lock:
            if not self._is_scanned:
                for folder in self._folders:
                    folder.scan()
            self._is_scanned = True

    def _linked_in_folders(self, file: ObjectFile) -> FileIO | None:
        link = _link_or_none(file.image)
        if link is None or not file.path.startswith("/"):
            return None
        search = _Search(file, self._checksums)
        place = (os.fsencode(Path(file.path).parent) + b"/" + link.name).lstrip(b"/")
        for folder in self._folders:
            found = search.open_in(folder, place, link)
            if found is not None:
                return found
        return None

    def _build_id_paths(self, build_id: str) -> Iterator[bytes]:
        if len(build_id) > 2:
            name = f"/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
            yield self._debug_root + name.encode()

    def _linked_paths(self, directory: bytes, name: bytes) -> Iterator[tuple[bytes, bool]]:
        yield directory + b"/" + name, False
        yield directory + b"/.debug/" + name, False
        yield self._debug_root + directory + b"/" + name, True


class _Search:
    """The search for the debug file of one object."""

    def __init__(self, file: ObjectFile, checksums: Budget) -> None:
        self._roots = tuple(dict.fromkeys((file.root or _OWN_ROOT, _OWN_ROOT)))
        self._build_id = file.image.build_id
        self._owner = os.fstat(file.fd).st_uid
        self._checksums = checksums

    def open(self, path: bytes, *, follow: bool, link: DebugLink | None = None) -> FileIO | None:
        """The right file of this name in either root; link: its CRC will do, too."""
        for root in self._roots:
            try:
                file = open_rooted(root, path, follow=follow)
            except (OSError, BadFileError):
                continue
            if self._may_be_given(file) and self._is_right(file, link):
                return file
            file.close()
        return None

    def _may_be_given(self, file: FileIO) -> bool:
        info = os.fstat(file.fileno())
        return info.st_uid == self._owner or bool(info.st_mode & stat.S_IROTH)

    def open_in(self, folder: DebugFolder, path: bytes, link: DebugLink) -> FileIO | None:
        """The file of this name in a directory, if it is the right one."""
        try:
            file = open_beneath(str(folder.path), path)
        except (OSError, BadFileError):
            return None
        if self._is_right(file, link):
            return file
        file.close()
        return None

    def _is_right(self, file: FileIO, link: DebugLink | None) -> bool:
        build_id = _build_id_of(file)
        if self._build_id and (build_id or link is None):
            return build_id == self._build_id
        return link is not None and self._crc(file) == link.crc

    def _crc(self, file: FileIO) -> int:
        """CRC-32 of a whole file; -1 for one that is too large to check."""
        if os.fstat(file.fileno()).st_size > _MAX_CHECKED or not self._checksums.allows():
            return -1
        crc = size = 0
        file.seek(0)
        while size < _MAX_CHECKED and (block := file.read(_BLOCK)):
            crc = zlib.crc32(block, crc)
            size += len(block)
        self._checksums.spend(size)
        return crc


def has_dwarf(image: ElfImage) -> bool:
    """True when an object carries DWARF itself."""
    try:
        return bool(image.section(".debug_info") or image.section(".zdebug_info"))
    except BadFileError:
        return False


def _link_or_none(image: ElfImage) -> DebugLink | None:
    try:
        link = image.debuglink
    except BadFileError:
        return None
    return link if link and b"/" not in link.name else None


def _build_id_of(file: FileIO) -> str:
    try:
        return ElfImage(file).build_id
    except BadFileError:
        return ""
