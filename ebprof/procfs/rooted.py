"""Opens files below a directory that others filled: no link in it leads out (openat2(2))."""

from __future__ import annotations

import ctypes
import os
from io import FileIO
from pathlib import Path

from ebprof.elf import reopen_regular
from ebprof.procfs._libc import checked, libc

_OPENAT2 = 437  # on every architecture
_NO_MAGIC_LINKS, _NO_LINKS, _BENEATH, _IN_ROOT = 0x02, 0x04, 0x08, 0x10
_PATH_ONLY = os.O_PATH | os.O_CLOEXEC


class _OpenHow(ctypes.Structure):
    """struct open_how."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_rooted(root: str, path: bytes, *, follow: bool = True) -> FileIO:
    """Open a regular file as a process with this root would find it.

    follow: links, which then stay within the root; otherwise a link anywhere in the path is an
    error. Raises OSError, or BadFileError when it is not a regular file.
    """
    return _reopened(_open_path(root, path, _IN_ROOT | (0 if follow else _NO_LINKS)))


def open_beneath(directory: str, path: bytes) -> FileIO:
    """Open a regular file below a directory; a link that leads out of it is OSError (EXDEV).

    Raises OSError, or BadFileError when it is not a regular file.
    """
    return _reopened(_open_path(directory, path, _BENEATH))


def path_of_directory(root: str, path: bytes) -> str:
    """Where a directory that a process with this root finds is for us, without links.

    It is written as the kernel writes it in `/proc/PID/maps` for us, in the file system encoding.
    Raises OSError.
    """
    place = _open_path(root, path, _IN_ROOT)
    try:
        return str(Path(f"/proc/self/fd/{place}").readlink())
    finally:
        os.close(place)


def _reopened(place: int) -> FileIO:
    """Open for reading what a descriptor stands for, which is closed."""
    try:
        return reopen_regular(place)
    finally:
        os.close(place)


def _open_path(root: str, path: bytes, resolve: int) -> int:
    how = _OpenHow(_PATH_ONLY, 0, _NO_MAGIC_LINKS | resolve)
    directory = os.open(root, _PATH_ONLY | os.O_DIRECTORY)
    try:
        size = ctypes.c_size_t(ctypes.sizeof(how))
        return checked(libc.syscall(_OPENAT2, directory, path, ctypes.byref(how), size))
    finally:
        os.close(directory)
