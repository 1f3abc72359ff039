"""Which of the files that a process maps is meant by a path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path

from ebprof.elf import open_regular
from ebprof.errors import BadFileError
from ebprof.procfs.maps import MapsEntry, file_identities, read_maps
from ebprof.procfs.process import directory
from ebprof.procfs.rooted import open_rooted, path_of_directory


def find_mapped(pid: int, path: str) -> MapsEntry | None:
    """The executable mapping of the file that a process finds at an absolute path; else None.

    The path is looked up in the root of the process, then in ours: one in a container or chroot has
    other files at the same paths. A file is told by device and inode, so that links to it do as
    well. Where there is another file by now, or none, the mapping is told by its own path.
    Raises NoTargetError when the process is gone.
    """
    entries = [one for one in read_maps(pid) if one.inode]
    root = f"{directory(pid)}/root"
    for file in _files(root, path):
        with file:
            known = file_identities(file)
        found = next((one for one in entries if (one.device, one.inode) in known), None)
        if found:
            return found
    names = {path, *_canonical(root, path)}
    return next((one for one in entries if one.path in names), None)


def mapped_like(pid: int, path: str) -> list[str]:
    """Paths of mapped files whose names begin like this one's, up to the first dot or dash."""
    start = _stem(path)
    found = [one.path for one in read_maps(pid) if one.inode and _stem(one.path) == start]
    return list(dict.fromkeys(found))


def file_of(pid: int, entry: MapsEntry) -> str:
    """A path by which the kernel opens a mapped file for us, be it deleted or in another root."""
    place = directory(pid)
    path = f"{place}/map_files/{entry.start:x}-{entry.end:x}"
    with suppress(OSError):
        Path(path).stat()  # to follow it needs CAP_CHECKPOINT_RESTORE in the first namespace
        return path
    return f"{place}/root{entry.path}"


def is_in_root(pid: int, path: str) -> bool:
    """Whether a process finds a regular file at an absolute path."""
    return any(True for _ in _opened(f"{directory(pid)}/root", path))


def _files(root: str, path: str) -> Iterator[FileIO]:
    yield from _opened(root, path)
    with suppress(OSError, BadFileError):
        yield open_regular(path)


def _opened(root: str, path: str) -> Iterator[FileIO]:
    with suppress(OSError, BadFileError), open_rooted(root, os.fsencode(path)) as file:
        yield file


def _canonical(root: str, path: str) -> Sequence[str]:
    """The path as `/proc/PID/maps` has it: without links in its directories."""
    parent, _, name = path.rpartition("/")
    try:
        return [f"{path_of_directory(root, os.fsencode(parent or '/')).rstrip('/')}/{name}"]
    except OSError:
        return []


def _stem(path: str) -> str:
    return Path(path).name.partition(".")[0].partition("-")[0]
