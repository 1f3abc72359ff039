"""What a process has mapped (`/proc/PID/maps`), and the files behind it."""

from __future__ import annotations

import mmap
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

import numpy as np

from ebprof.elf import ObjectFile, open_regular, reopen_regular
from ebprof.errors import BadFileError, NoPermissionError, NoTargetError
from ebprof.procfs.process import comm, directory, reading
from ebprof.procfs.text import printable

VDSO = "[vdso]"

_MAX_BYTES = 64 << 20
_MAX_VDSO = 1 << 20
_TRIES = 3
_ADDRESSES_OF_32_BITS = 1 << 32
_DELETED = b" (deleted)"
_FIRST_WORD = re.compile(r"^[^\W_]{3,}(?=[\W_])")
_HEX = rb"([0-9a-f]{1,16})"
_FILE = rb"([0-9a-f]{1,8}:[0-9a-f]{1,8} [0-9]{1,20}(?: .*)?)"
_LINE = re.compile(_HEX + rb"-" + _HEX + rb" ..(.). " + _HEX + rb" " + _FILE)


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
        """True when there is a file, or the vDSO, that `open_object` can try to open.

        Below 4 GiB lies the vDSO of 32-bit programs, which is another one.
        """
        return self.inode != 0 or (self.path == VDSO and self.start >= _ADDRESSES_OF_32_BITS)


class NotOpenedError(BadFileError):
    """The file behind a mapping cannot be had from this process; another may map it, too."""


def read_maps(pid: int, *, executable_only: bool = True) -> list[MapsEntry]:
    """The mappings of a process by address; raises NoTargetError when it is gone.

    There are none when all of its threads have ended. One by which they are read may end
    meanwhile: then another one is asked.
    """
    data = b""
    for _ in range(_TRIES):
        place = directory(pid)
        with suppress(NoTargetError), reading(pid), FileIO(f"{place}/maps") as file:
            data = _read_bounded(file)
        if data:
            break
    return parse_maps(data, executable_only)


def open_object(pid: int, entry: MapsEntry) -> ObjectFile:
    """The object file behind a mapping.

    It is the mapped file itself, not what bears its name today: `map_files` leads to it when it
    was deleted or replaced and in any mount namespace; where the kernel does not let us follow
    that, or has another file there by now, the name is looked up in the process's root. Either way
    it must have the mapping's device and inode: the process may map another file there at any
    moment, which would then count as this one in all processes. The vDSO is our own, as theirs can
    be overwritten. A program that was started by a link beside it, and is of the same family, is
    called as the link: `redis-server`, where that leads to `redis-check-rdb`.
    Raises BadFileError when it is no ELF file, NotOpenedError when it cannot be had from this
    process, NoTargetError when the process is gone.
    """
    place = directory(pid)
    root = f"{place}/root"
    path = printable(entry.path)
    if entry.path == VDSO:
        return ObjectFile.from_memory(_read_own_vdso(), path, root)
    try:
        file = _open_mapped(pid, place, entry)
    except NotOpenedError as error:
        raise NotOpenedError(f"{path}: {error.message}") from None
    return ObjectFile.open(file, _link_of_family(pid, root, entry) or path, root)


def _link_of_family(pid: int, root: str, entry: MapsEntry) -> str:
    """The path of a link to the mapped file that has the process's name; empty where there is
    none, or names have not their first word alone in common: `sh` tells less than `dash`, and
    `python3` less than `python3.11`.
    """
    parent, _, name = entry.path.rpartition("/")
    with suppress(NoTargetError, NoPermissionError, NotOpenedError):
        called = comm(pid)
        if _is_of_family(called, name):
            link = f"{parent}/{called}"
            _open_named(root, replace(entry, path=link)).close()
            return printable(link)
    return ""


def _is_of_family(one: str, other: str) -> bool:
    word = _FIRST_WORD.match(one)
    is_alike = word is not None and "/" not in one and _FIRST_WORD.findall(other)[:1] == [word[0]]
    return is_alike and not one.startswith(other) and not other.startswith(one)


def open_named(pid: int, entry: MapsEntry) -> ObjectFile:
    """The object file that bears a mapping's name in the root of a process, which need not map it.

    Raises NotOpenedError when there is none, or when it is not the file that was mapped, and
    BadFileError when it is no ELF file.
    """
    path = printable(entry.path)
    try:
        root = f"{directory(pid)}/root"
        file = _open_named(root, entry)
    except (NotOpenedError, NoTargetError) as error:
        raise NotOpenedError(f"{path}: {error.message}") from None
    return ObjectFile.open(file, path, root)


def _read_bounded(file: FileIO) -> bytes:
    """Whole lines; of more than _MAX_BYTES, the first."""
    parts = []
    size = 0
    while size < _MAX_BYTES:
        part = file.read(1 << 20)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts).rpartition(b"\n")[0]


def parse_maps(data: bytes, executable_only: bool) -> list[MapsEntry]:
    """The mappings that the lines of `/proc/PID/maps` tell of; lines of another form tell none."""
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


def _open_mapped(pid: int, place: str, entry: MapsEntry) -> FileIO:
    try:
        file = open_regular(f"{place}/map_files/{entry.start:x}-{entry.end:x}")
    except BadFileError as error:
        raise NotOpenedError(error.message) from None
    except OSError:
        with reading(pid):
            Path(f"{place}/root").stat()  # a zombie has none
        return _open_named(f"{place}/root", entry)
    try:
        return _checked(file, entry)
    except NotOpenedError:  # another file is mapped there by now
        return _open_named(f"{place}/root", entry)


def _open_named(root: str, entry: MapsEntry) -> FileIO:
    try:
        place = os.open(f"{root}{entry.path}", os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise NotOpenedError(f"cannot open: {error.strerror}") from None
    try:
        return _checked(reopen_regular(place), entry)
    except OSError as error:
        raise NotOpenedError(f"cannot open: {error.strerror}") from None
    except BadFileError as error:
        raise NotOpenedError(error.message) from None
    finally:
        os.close(place)


def _checked(file: FileIO, entry: MapsEntry) -> FileIO:
    """The file, if it is the one that was mapped; closed otherwise."""
    wanted = entry.device, entry.inode
    if _identity(file) == wanted or _mapped_identity(file) == wanted:
        return file
    file.close()
    raise NotOpenedError("was deleted or replaced since it was mapped")


def file_identities(file: FileIO) -> set[tuple[int, int]]:
    """Device and inode of a file as `maps` may have them."""
    mapped = _mapped_identity(file)
    return {_identity(file), *([mapped] if mapped else [])}


def _identity(file: FileIO) -> tuple[int, int]:
    info = os.fstat(file.fileno())
    return info.st_dev, info.st_ino


def _mapped_identity(file: FileIO) -> tuple[int, int] | None:
    """Device and inode as `maps` has them: on overlayfs and btrfs, they are not stat's.

    The file is mapped for that, and not touched: its owner may truncate it.
    """
    try:
        memory = mmap.mmap(file.fileno(), 1, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
    except (OSError, ValueError):  # ValueError: it is empty
        return None
    view = np.frombuffer(memory, np.uint8)
    address = view.ctypes.data
    del view
    with memory:
        entries = read_maps(os.getpid(), executable_only=False)
    return next(((one.device, one.inode) for one in entries if one.start == address), None)


def _read_own_vdso() -> bytes:
    own = os.getpid()
    for entry in read_maps(own):
        if entry.path == VDSO:
            size = min(entry.end - entry.start, _MAX_VDSO)
            with reading(own), FileIO("/proc/self/mem") as memory:
                return os.pread(memory.fileno(), size, entry.start)
    raise NotOpenedError(f"{VDSO}: this process has none")
