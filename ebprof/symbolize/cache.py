"""Files that are kept on disk: SymCaches, so that DWARF is read once per object and machine, and
what debuginfod servers gave.

A SymCache is found by build ID together with the file's inode, size and times: a build ID alone is
what its file says it is, and a process could put names of its choice on libc's.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import stat
from contextlib import suppress
from io import FileIO
from pathlib import Path

from ebprof.elf import memory_file

FORMAT = 1
"""Goes into the files' names: old files are not read any more, and age out."""

DEFAULT_LIMIT = 2 << 30
_RESERVE = 16
"""One part of so many is kept free: within it files are written without a look at all there are."""

_SUFFIX = ".symcache"
_MIN_FREE = 1 << 30
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW


def default_cache() -> Path | None:
    """`$XDG_CACHE_HOME/ebprof/symcache`, else under the home of the effective user.

    $HOME is not asked: sudo may leave it at another user's. None for a user without a home.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "ebprof" / "symcache"
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return None
    return Path(home) / ".cache" / "ebprof" / "symcache"


DEFAULT_CACHE = default_cache()


class FileStore:
    """A directory of files, written atomically, the least recently used deleted beyond a limit.

    The directory must be ours alone; without one (None, or it cannot be made) nothing is kept.
    limit: bytes in all files together. suffix: of their names.
    """

    def __init__(
        self, path: Path | None, limit: int = DEFAULT_LIMIT, suffix: str = _SUFFIX
    ) -> None:
        self.warning = ""
        self._limit = limit
        self._suffix = suffix
        self._left = -1
        """Bytes that may be written before the directory is looked at."""
        self._directory = self._open_directory(path) if path else None

    def open(self, key: str) -> FileIO | None:
        """The file kept under a key, marked as used; None when there is none."""
        if self._directory is None:
            return None
        try:
            file = FileIO(os.open(self._name(key), os.O_RDONLY | _OPEN, dir_fd=self._directory))
        except OSError:
            return None
        if not _is_ours_alone(os.fstat(file.fileno())):
            file.close()
            return None
        os.utime(file.fileno())
        return file

    def create(self) -> NewEntry:
        """A file to write to; nothing is kept before it is committed."""
        return NewEntry(self._directory, self._suffix)

    def commit(self, entry: NewEntry, key: str) -> None:
        """Keep what was written, under a key, and delete what would get over the limit."""
        if self._directory is None or not entry.name:
            return
        name = self._name(key)
        os.rename(entry.name, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        entry.name = ""
        self._left -= os.fstat(entry.file.fileno()).st_size
        if self._left < 0:
            self._evict(self._directory)

    def remove(self, key: str) -> None:
        """Forget what is kept under a key."""
        if self._directory is not None:
            _unlink(self._name(key), self._directory)

    def close(self) -> None:
        """Close the directory."""
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    def _name(self, key: str) -> str:
        digest = hashlib.blake2b(f"{FORMAT} {key}".encode(), digest_size=16).hexdigest()
        return f"{digest}{self._suffix}"

    def _open_directory(self, path: Path) -> int | None:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
        except OSError as error:
            self.warning = f"symbols are not cached: {path}: {error.strerror}"
            return None
        if _is_ours_alone(os.fstat(directory)):
            return directory
        os.close(directory)
        self.warning = f"symbols are not cached: {path} can be written by other users"
        return None

    def _evict(self, directory: int) -> None:
        entries = []
        with os.scandir(directory) as found:
            for entry in found:
                # Another ebprof may be deleting, too.
                with suppress(FileNotFoundError):
                    info = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(self._suffix):
                        entries.append((info.st_mtime_ns, info.st_size, entry.name))
        self._left = self._limit // _RESERVE
        total = sum(size for _, size, _ in entries)
        for _, size, name in sorted(entries):
            if total <= self._limit - self._left:
                return
            _unlink(name, directory)
            total -= size


class NewEntry:
    """A file being written: in the cache's directory under a passing name, or in memory.

    At the end of a `with` it is discarded.
    """

    def __init__(self, directory: int | None, suffix: str = _SUFFIX) -> None:
        self.name = ""
        self._directory = directory
        self._suffix = suffix
        self.file = self._create()

    def __enter__(self) -> NewEntry:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def discard(self) -> None:
        """Close the file; delete it unless it was committed."""
        self.file.close()
        if self.name and self._directory is not None:
            _unlink(self.name, self._directory)
            self.name = ""

    def _create(self) -> FileIO:
        if self._directory is None or _is_nearly_full(self._directory):
            return memory_file(b"")
        name = f"new-{secrets.token_hex(8)}{self._suffix}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN
        try:
            file = FileIO(os.open(name, flags, 0o600, dir_fd=self._directory), "r+b")
        except OSError:
            return memory_file(b"")
        self.name = name
        return file


def _is_ours_alone(info: os.stat_result) -> bool:
    return info.st_uid == os.geteuid() and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_nearly_full(directory: int) -> bool:
    """True when the file system is better left alone: a full one is why some profiles are taken."""
    info = os.fstatvfs(directory)
    return info.f_bavail * info.f_frsize < _MIN_FREE


def _unlink(name: str, directory: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
