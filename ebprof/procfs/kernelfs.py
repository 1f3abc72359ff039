"""Files of tracefs and securityfs, which need not be mounted.

What is mounted nowhere is mounted for a moment, where nobody else sees it: by fsmount(2) at no
place at all, or where that is refused, in a mount namespace of its own. Only a descriptor of the
root directory stays.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from itertools import islice

from ebprof.errors import UnsupportedError
from ebprof.procfs._libc import checked, libc
from ebprof.procfs.mounts import read_mounts

_PART_BYTES, _MAX_PARTS = 1 << 16, 256
_ROOT_INODE = 1  # simple_fill_super() in fs/libfs.c, which makes both
_FILE_FLAGS = os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC
_ROOT_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_STATFS_BYTES = 256
# System calls that have these numbers on every architecture, and their flags (linux/mount.h).
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_FSOPEN_CLOEXEC = _FSMOUNT_CLOEXEC = 1
_FSCONFIG_CMD_CREATE = 6
_READ_ONLY = 0xF  # MOUNT_ATTR_RDONLY, NOSUID, NODEV, NOEXEC: of the mount, not of the file system
_CLONE_NEWNS = 0x20000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_COVERED = b"/proc"  # any directory will do


@dataclass(frozen=True, slots=True)
class FileSystem:
    """name: as mount(2) knows it; magic: as statfs(2) tells it (linux/magic.h)."""

    name: str
    magic: int


TRACEFS = FileSystem("tracefs", 0x74726163)
SECURITYFS = FileSystem("securityfs", 0x73636673)


@dataclass(frozen=True, slots=True)
class Root:
    """The root directory of a file system. place: where it is mounted; empty: not to be seen."""

    system: FileSystem
    descriptor: int
    place: str = ""

    def read(self, path: str) -> bytes | None:
        """A file, at most 16 MiB of it; None where there is none. Raises UnsupportedError."""
        try:
            with FileIO(os.open(path, _FILE_FLAGS, dir_fd=self.descriptor)) as file:
                parts = iter(lambda: file.read(_PART_BYTES), b"")
                return b"".join(islice(parts, _MAX_PARTS))
        except FileNotFoundError:
            return None
        except OSError as error:
            name = self.system.name
            raise UnsupportedError(f"cannot read {path} in {name}: {error.strerror}") from None


@contextmanager
def opened(system: FileSystem) -> Iterator[Root]:
    """Its root directory; raises UnsupportedError where there is no way to it."""
    root = _mounted(system) or _unmounted(system)
    try:
        yield root
    finally:
        os.close(root.descriptor)


def _mounted(system: FileSystem) -> Root | None:
    with suppress(OSError):
        for mount in read_mounts():
            if mount.kind == system.name:
                with suppress(OSError):
                    return _root(system, os.open(mount.path, _ROOT_FLAGS), mount.path)
    return None


def _unmounted(system: FileSystem) -> Root:
    try:
        return _root(system, _mount_nowhere(system))
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise UnsupportedError(f"this kernel has no {system.name}") from None
    try:
        return _root(system, _in_own_thread(lambda: _mount_in_private(system)))
    except OSError as error:
        raise UnsupportedError(
            f"{system.name} is not mounted, and cannot be opened unmounted: {error.strerror}"
        ) from None


def _root(system: FileSystem, descriptor: int, place: str = "") -> Root:
    """The root, if that is what was opened; raises OSError, and closes the descriptor, otherwise.

    Another file system may be mounted over it, and a mount may show only a part of it.
    """
    status = ctypes.create_string_buffer(_STATFS_BYTES)
    try:
        checked(libc.fstatfs(descriptor, status))
        magic = ctypes.c_long.from_buffer(status).value
        if magic != system.magic or os.fstat(descriptor).st_ino != _ROOT_INODE:
            raise OSError(errno.EINVAL, f"it is not the root of {system.name}")
    except OSError:
        os.close(descriptor)
        raise
    return Root(system, descriptor, place)


def _mount_nowhere(system: FileSystem) -> int:
    """fsopen(2), fsconfig(2) and fsmount(2), of Linux 5.2."""
    context = checked(libc.syscall(_FSOPEN, system.name.encode(), _FSOPEN_CLOEXEC))
    try:
        checked(libc.syscall(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0))
        return checked(libc.syscall(_FSMOUNT, context, _FSMOUNT_CLOEXEC, _READ_ONLY))
    finally:
        os.close(context)


def _mount_in_private(system: FileSystem) -> int:
    """For a thread that ends: a mount namespace is a thread's, and goes with its last one.

    Mounts of a shared place would show in the namespace that this one is a copy of.
    """
    checked(libc.unshare(_CLONE_NEWNS))
    checked(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    checked(libc.mount(b"none", _COVERED, system.name.encode(), 0, None))
    return os.open(_COVERED, _ROOT_FLAGS)


def _in_own_thread(call: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()
