"""Object files that processes map: opened once, numbered, their unwind tables compiled once."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

from ebprof._native import lib
from ebprof.elf import ObjectFile
from ebprof.errors import BadFileError, EbprofError, NoPermissionError
from ebprof.procfs.maps import MapsEntry, NotOpenedError, open_named, open_object
from ebprof.unwind.compile import frame_section
from ebprof.unwind.object_rows import object_rows
from ebprof.unwind.tables import Table, TableStore

MAX_OBJECTS: int = lib.MAX_OBJECTS
MAX_UNWIND_BYTES = 2 << 30
"""Of unwind information that is compiled in a run: its owners can have it take 20 s a GiB."""

PAUSE_S = 0.02
"""Within it, samples that wait for a table fill a tenth of the ring that they wait in."""

FileKey = tuple[int, int, int]
"""Device, inode and, where these say nothing, size."""


@dataclass(frozen=True, slots=True)
class UnwindObject:
    """An object file and how to unwind through it.

    number: in the frames that BPF programs report, 0 < number <= MAX_OBJECTS.
    table: None when there is none; then `failure` says what is wrong with its unwind
    information, or is empty when it has none and frame pointers are all there is.
    """

    number: int
    file: ObjectFile
    table: Table | None
    failure: str


class ObjectStore:
    """Every object file seen so far.

    pause: called every PAUSE_S while a table is made, which takes a large one a tenth of a second.

    Files stay open, so that symbols can be read when the process is gone, and so that a device
    and inode stand for the same file all along: half of the files that we may have open.
    """

    def __init__(
        self,
        tables: TableStore,
        *,
        use_tables: bool = True,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self._tables = tables
        self._pause = pause
        self._use_tables = use_tables
        self._by_file: dict[FileKey, UnwindObject | None] = {}
        self._missed: set[FileKey] = set()
        self._numbered: list[UnwindObject] = []
        self._most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
        self._unwind_bytes = 0
        self._worker = ThreadPoolExecutor(1)
        self.compile_seconds = 0.0

    def of(self, pid: int, entry: MapsEntry) -> UnwindObject | None:
        """The object behind a mapping of a process; None when it is no readable ELF file.

        Raises NoTargetError when the process is gone.
        """
        if not entry.has_object:
            return None
        key = _key(entry)
        if key not in self._by_file:
            self._open(pid, entry)
        return self._by_file.get(key)

    def by_name(self, others: Iterable[int], entry: MapsEntry) -> UnwindObject | None:
        """The object behind a mapping of a process that is gone; None when it is not found.

        others: processes in whose roots its name is looked up; the file must be the same.
        """
        key = _key(entry)
        if not entry.inode or key in self._by_file:
            return self._by_file.get(key) if entry.has_object else None
        for other in others:
            with suppress(BadFileError):
                return self._add(key, open_named(other, entry))
        self._missed.add(key)
        return None

    def numbered(self, number: int) -> UnwindObject | None:
        """The object that frames name by this number; None for 0."""
        return self._numbered[number - 1] if 0 < number <= len(self._numbered) else None

    def all(self) -> list[UnwindObject]:
        """All objects, by number."""
        return list(self._numbered)

    @property
    def unreadable(self) -> int:
        """Files that were asked for and that there is no object of."""
        return sum(self._by_file.get(key) is None for key in self._missed)

    def close(self) -> None:
        """Close the files."""
        self._worker.shutdown()
        for known in self._numbered:
            known.file.close()

    def _open(self, pid: int, entry: MapsEntry) -> None:
        key = _key(entry)
        try:
            self._add(key, open_object(pid, entry))
        except (NoPermissionError, NotOpenedError):
            self._missed.add(key)  # of this process: another's mapping of the file may do
        except BadFileError:
            self._by_file[key] = None
            self._missed.add(key)

    def _add(self, key: FileKey, file: ObjectFile) -> UnwindObject | None:
        number = len(self._numbered) + 1
        if number > min(MAX_OBJECTS, self._most_files):
            file.close()
            self._by_file[key] = None
            self._missed.add(key)
            return None
        table, failure = self._compile(file) if self._use_tables else (None, "")
        made = UnwindObject(number, file, table, failure)
        self._numbered.append(made)
        self._by_file[key] = made
        return made

    def _compile(self, file: ObjectFile) -> tuple[Table | None, str]:
        began = time.monotonic()
        try:
            if self._unwind_bytes > MAX_UNWIND_BYTES:
                return None, "all objects together have too much unwind information"
            task = self._worker.submit(self._make_table, file)
            while not task.done():
                wait([task], PAUSE_S)
                self._pause()
            return task.result()
        except EbprofError as error:
            return None, error.message
        finally:
            self.compile_seconds += time.monotonic() - began

    def _make_table(self, file: ObjectFile) -> tuple[Table | None, str]:
        section = frame_section(file.image)
        self._unwind_bytes += 0 if section is None else len(section.data)
        made = object_rows(file.image, section)
        self._unwind_bytes += made.bytes_read
        if made.rows is None:
            return None, ""
        table = self._tables.add(made.rows)
        return table, "" if table else "no room for its unwind table"


def _key(entry: MapsEntry) -> FileKey:
    size = 0 if entry.inode else entry.end - entry.start  # the vDSO: one per architecture
    return entry.device, entry.inode, size
