"""DWARF, through a `symbolic` SymCache: inlined calls, files and lines."""

from __future__ import annotations

import os
import time
from typing import Any, NamedTuple

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError
from ebprof.procfs.text import printable
from ebprof.symbolize.budget import Budget
from ebprof.symbolize.cache import FileStore
from ebprof.symbolize.source import Call
from ebprof.symbolize.strings import MAX_NAME
from ebprof.symbolize.worker import OP_SYMCACHE, Worker, WorkerError

# SymCaches hold 32-bit addresses, relative to the first segment.
_ADDRESS_SPACE = 1 << 32
_MAX_INLINED = 256
_TIMEOUT_S = 120


class DwarfSource:
    """What a SymCache says; base is the lowest p_vaddr of the object. size: bytes."""

    def __init__(self, symcache: _SymCache, base: int) -> None:
        self._symcache = symcache.data
        self._base = base
        self.size = symcache.size

    def find(self, address: int) -> tuple[Call, ...]:
        """The inlined calls and the function at an address (p_vaddr); empty without DWARF there.

        SymCaches also hold the symbol table, without sizes: what has neither line nor file is
        from there and says nothing about this address.
        """
        from symbolic.exceptions import SymbolicError

        if not 0 <= address - self._base < _ADDRESS_SPACE:
            return ()
        try:
            places = self._symcache.lookup(address - self._base)[:_MAX_INLINED]
        except SymbolicError:
            return ()
        return tuple(
            Call(_text(place.symbol), _text(place.full_path or ""), place.line)
            for place in places
            if place.line or place.full_path
        )


def _text(name: str) -> str:
    return printable(name[:MAX_NAME])


def open_dwarf(
    image: ElfImage,
    object_image: ElfImage,
    store: FileStore,
    worker: Worker,
    seconds: Budget,
) -> DwarfSource | None:
    """Load the SymCache of a file with DWARF, or have it made and keep it.

    image: the file with DWARF, the object's own or a separate one; object_image: what is mapped.
    seconds: what may be spent on making them; None when nothing of it is left. Raises BadFileError
    when symbolic cannot read the file, or takes too long or too much memory.
    """
    key = _key(image)
    symcache = _load(store, key)
    if symcache is None and seconds.allows():
        began = time.monotonic()
        try:
            symcache = _make(image, store, key, worker)
        finally:
            seconds.spend(time.monotonic() - began)
    if symcache is None:
        return None
    base = min((segment.address for segment in object_image.segments), default=0)
    return DwarfSource(symcache, base)


class _SymCache(NamedTuple):
    """An open SymCache and its size in bytes."""

    data: Any
    size: int


def _key(image: ElfImage) -> str:
    from symbolic.symcache import SYMCACHE_LATEST_VERSION

    info = os.fstat(image.fd)
    # Without the device: numbers of overlay and network file systems change at every mount. The
    # file system's own ID: one in user space (FUSE) can give any number as all the others.
    file_system = os.fstatvfs(image.fd).f_fsid
    parts = (file_system, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    return f"{SYMCACHE_LATEST_VERSION} {image.build_id} {parts}"


def _load(store: FileStore, key: str) -> _SymCache | None:
    file = store.open(key)
    if file is None:
        return None
    with file:
        symcache = _open(file.fileno())
    if symcache is None:
        store.remove(key)
    return symcache


def _make(image: ElfImage, store: FileStore, key: str, worker: Worker) -> _SymCache:
    try:
        with store.create() as entry:
            worker.request(OP_SYMCACHE, b"", [image.fd, entry.file.fileno()], _TIMEOUT_S)
            symcache = _open(entry.file.fileno())
            if symcache is None:
                raise BadFileError("its symbol cache cannot be read")
            store.commit(entry, key)
    except WorkerError as error:
        raise BadFileError(printable(f"DWARF cannot be read: {error}")) from None
    except OSError as error:
        raise BadFileError(f"its symbol cache cannot be kept: {error.strerror}") from None
    return symcache


def _open(descriptor: int) -> _SymCache | None:
    """Map a SymCache; None when it is corrupt or of another version."""
    from symbolic import symcache as library
    from symbolic.exceptions import SymbolicError

    opener: Any = library.SymCache
    try:
        symcache = opener.open(f"/proc/self/fd/{descriptor}")
    except (SymbolicError, OSError):
        return None
    size = os.fstat(descriptor).st_size
    return _SymCache(symcache, size) if symcache.is_latest_version else None
