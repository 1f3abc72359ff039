"""What a process has mapped (`/proc/PID/maps`), and the files behind it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from ..elf import ObjectFile, open_regular, reopen_regular
from ..errors import BadFileError
from .process import reading
from .text import printable

VDSO = "[vdso]"

_MAX_BYTES = 64 << 20
_MAX_VDSO = 1 << 20
_DELETED = b" (deleted)"
_LINE = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) ..(.). ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+ [0-9]+ *.*)")


@dataclass(frozen=True, slots=True)
class MapsEntry:
    """One line of `/proc/PID/maps`.

    start, end: addresses, end exclusive. offset: file offset of start.
    path: as the kernel writes it, in the file system encoding (`os.fsencode` gives its bytes),
    without ` (deleted)`; `[vdso]` and the like; empty for anonymous memory.
    """

    start: int
    end: int
    offset: int
    device: int
    inode: int
    path: str
    executable: bool
    deleted: bool

    @property
    def has_object(self) -> bool:
        """True when there is a file, or the vDSO, that `open_object` can try to open."""
        return self.inode != 0 or self.path == VDSO


def read_maps(pid: int, *, executable_only: bool = True) -> list[MapsEntry]:
    """The mappings of a process by address; raises NoTargetError when it is gone."""
    with reading(pid), FileIO(f"/proc/{pid}/maps") as file:
        data = _read_bounded(file)
    return _parse(data, executable_only)


def open_object(pid: int, entry: MapsEntry) -> ObjectFile:
    """The object file behind a mapping.

    It is the mapped file itself, not what bears its name today: `map_files` leads to it when it
    was deleted or replaced and in any mount namespace; where the kernel does not let us follow
    that, the name is looked up in the process's root and must have the same device and inode.
    Raises BadFileError when there is no ELF file, NoTargetError when the process is gone.
    """
    root = f"/proc/{pid}/root"
    path = printable(entry.path)
    if entry.path == VDSO:
        return ObjectFile.from_memory(_read_vdso(pid, entry), path, root)
    try:
        file = _open_mapped(pid, entry)
    except BadFileError as error:
        raise BadFileError(f"{path}: {error.message}") from None
    return ObjectFile.open(file, path, root)


def open_named(pid: int, entry: MapsEntry) -> ObjectFile:
    """The object file that bears a mapping's name in the root of a process, which need not map it.

    Raises BadFileError when there is none, or when it is not the file that was mapped.
    """
    path = printable(entry.path)
    try:
        file = _open_named(pid, entry)
    except OSError as error:
        raise BadFileError(f"{path}: cannot open: {error.strerror}") from None
    except BadFileError as error:
        raise BadFileError(f"{path}: {error.message}") from None
    return ObjectFile.open(file, path, f"/proc/{pid}/root")


def _read_bounded(file: FileIO) -> bytes:
    parts = []
    size = 0
    while size < _MAX_BYTES:
        part = file.read(1 << 20)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _parse(data: bytes, executable_only: bool) -> list[MapsEntry]:
    files: dict[bytes, tuple[int, int, str, bool]] = {}
    entries = []
    lines = data.split(b"\n")
    if executable_only:
        # A cheap test first: most lines are not wanted, and there may be many thousands.
        lines = [line for line in lines if b"xp " in line or b"xs " in line]
    for match in filter(None, map(_LINE.fullmatch, lines)):
        start, end, executable, offset, file = match.groups()
        if executable_only and executable != b"x":
            continue
        if file not in files:
            files[file] = _parse_file(file)
        device, inode, path, deleted = files[file]
        entries.append(
            MapsEntry(
                int(start, 16),
                int(end, 16),
                int(offset, 16),
                device,
                inode,
                path,
                executable == b"x",
                deleted,
            )
        )
    return entries


def _parse_file(text: bytes) -> tuple[int, int, str, bool]:
    """Device, inode, path and whether it is deleted, of `fe:00 26723   /usr/bin/ls`."""
    device, inode, path = (*text.split(b" ", 2), b"")[:3]
    major, _, minor = device.partition(b":")
    path = path.lstrip(b" ")
    deleted = path.endswith(_DELETED)
    path = path.removesuffix(_DELETED).replace(b"\\012", b"\n")
    return os.makedev(int(major, 16), int(minor, 16)), int(inode), os.fsdecode(path), deleted


def _open_mapped(pid: int, entry: MapsEntry) -> FileIO:
    try:
        return open_regular(f"/proc/{pid}/map_files/{entry.start:x}-{entry.end:x}")
    except OSError:
        with reading(pid):
            Path(f"/proc/{pid}/root").stat()  # a zombie has none
    try:
        return _open_named(pid, entry)
    except OSError as error:
        raise BadFileError(f"cannot open: {error.strerror}") from None


def _open_named(pid: int, entry: MapsEntry) -> FileIO:
    place = os.open(f"/proc/{pid}/root{entry.path}", os.O_PATH | os.O_CLOEXEC)
    try:
        info = os.fstat(place)
        if (info.st_dev, info.st_ino) != (entry.device, entry.inode):
            raise BadFileError("was deleted or replaced since it was mapped")
        return reopen_regular(place)
    finally:
        os.close(place)


def _read_vdso(pid: int, entry: MapsEntry) -> bytes:
    size = min(entry.end - entry.start, _MAX_VDSO)
    with reading(pid), FileIO(f"/proc/{pid}/mem") as memory:
        data = os.pread(memory.fileno(), size, entry.start)
    if not data:
        raise BadFileError(f"cannot read the vDSO of PID {pid}")
    return data
