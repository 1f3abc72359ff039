"""Object files that processes map: opened once, numbered, their unwind tables compiled once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from ebprof._native import lib
from ebprof.elf import ObjectFile
from ebprof.errors import BadFileError
from ebprof.procfs.maps import MapsEntry, open_named, open_object
from ebprof.unwind.compile import UnwindError, compile_rows, frame_section
from ebprof.unwind.tables import Table, TableStore


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

    pause: called after each table, of which a large one takes a tenth of a second.

    Files stay open, so that symbols can be read when the process is gone, and so that a device
    and inode stand for the same file all along.
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
        self._by_file: dict[tuple[int, int, int], UnwindObject | None] = {}
        self._numbered: list[UnwindObject] = []
        self.unreadable: dict[str, str] = {}
        self.compile_seconds = 0.0

    def of(self, pid: int, entry: MapsEntry) -> UnwindObject | None:
        """The object behind a mapping of a process; None when it is no readable ELF file.

        Raises NoTargetError when the process is gone.
        """
        if not entry.has_object:
            return None
        key = _key(entry)
        if key not in self._by_file:
            self._by_file[key] = self._open(pid, entry)
        return self._by_file[key]

    def by_name(self, others: Iterable[int], entry: MapsEntry) -> UnwindObject | None:
        """The object behind a mapping of a process that is gone; None when it is not found.

        others: processes in whose roots its name is looked up; the file must be the same.
        """
        key = _key(entry)
        if not entry.inode or key in self._by_file:
            return self._by_file.get(key)
        for other in others:
            with suppress(BadFileError):
                self._by_file[key] = self._add(entry, open_named(other, entry))
                return self._by_file[key]
        return None

    def numbered(self, number: int) -> UnwindObject | None:
        """The object that frames name by this number; None for 0."""
        return self._numbered[number - 1] if 0 < number <= len(self._numbered) else None

    def all(self) -> list[UnwindObject]:
        """All objects, by number."""
        return list(self._numbered)

    def close(self) -> None:
        """Close the files."""
        for known in self._numbered:
            known.file.close()

    def _open(self, pid: int, entry: MapsEntry) -> UnwindObject | None:
        try:
            return self._add(entry, open_object(pid, entry))
        except BadFileError as error:
            self.unreadable[entry.path] = error.message
            return None

    def _add(self, entry: MapsEntry, file: ObjectFile) -> UnwindObject | None:
        number = len(self._numbered) + 1
        if number > lib.MAX_OBJECTS:
            file.close()
            self.unreadable[entry.path] = f"more than {lib.MAX_OBJECTS} object files"
            return None
        table, failure = self._compile(file) if self._use_tables else (None, "")
        made = UnwindObject(number, file, table, failure)
        self._numbered.append(made)
        return made

    def _compile(self, file: ObjectFile) -> tuple[Table | None, str]:
        began = time.monotonic()
        try:
            section = frame_section(file.image)
            if section is None:
                return None, ""
            table = self._tables.add(compile_rows(section))
            return table, "" if table else "no room for its unwind table"
        except (BadFileError, UnwindError) as error:
            return None, error.message
        finally:
            self.compile_seconds += time.monotonic() - began
            self._pause()


def _key(entry: MapsEntry) -> tuple[int, int, int]:
    size = 0 if entry.inode else entry.end - entry.start  # the vDSO: one per architecture
    return entry.device, entry.inode, size
