"""Object files that processes map: opened once, numbered, their unwind tables compiled once."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from io import FileIO

from ebprof._native import lib
from ebprof.elf import ElfImage, ObjectFile
from ebprof.errors import BadFileError, EbprofError, NoPermissionError, NoTargetError
from ebprof.procfs.maps import MapsEntry, NotOpenedError, open_named, open_object
from ebprof.unwind.compile import FrameSection, UnwindError, UnwindRows, debug_frame, frame_sections
from ebprof.unwind.mappings import first_address
from ebprof.unwind.object import FileKey, UnwindObject
from ebprof.unwind.object_rows import object_rows
from ebprof.unwind.room import Room
from ebprof.walls import Walls

MAX_OBJECTS: int = lib.MAX_OBJECTS
SPARE_NUMBERS = 4
"""One part of so many of the numbers is kept free."""
MAX_REMEMBERED = 4096
"""Files that cannot be used and that are not tried again."""

MAX_UNWIND_BYTES = 2 << 30
"""Of unwind information that is compiled: its owners can have it take 20 s a GiB."""
UNWIND_BYTES_PER_S = 2 << 20
"""More of it for each second of the run: 4 % of a CPU at the most."""

RETRY_S = 1.0
"""Room for a table that found none is looked for this often at most."""
DEAR_BYTES = 4 << 20
"""An object with less unwind information has its table made anew whenever a sample asks for it."""
DEAR_BYTES_PER_S = 1 << 19
"""One with more waits before it is compiled again: a large one takes 2 % of a CPU at the most."""

PAUSE_S = 0.02
"""Within it, samples that wait for a table fill a tenth of the ring that they wait in."""

_SURPRISE = "its unwind information could not be used"


class ObjectStore:
    """The object files that are mapped, or were a short time ago; each gets a table when that is
    asked for (`restore`): most of what a process has mapped is never met by a sample.

    room: for tables; where there is none, those of objects that nobody uses, and that were not
    given out since `settle`, have to leave. pause: called every PAUSE_S while rows are made, which
    takes a large object a tenth of a second. find_debug_file: opens the separate debug file of one
    that has no `.debug_frame`, if that is to be trusted; called in another thread. walls: stand
    around the reading of each.

    Files stay open until they are dropped, so that symbols can be read when the process is gone,
    and so that a device and inode stand for the same file all along.
    """

    def __init__(
        self,
        room: Room,
        *,
        use_tables: bool = True,
        pause: Callable[[], None] = lambda: None,
        find_debug_file: Callable[[ObjectFile], FileIO | None] = lambda _: None,
        walls: Walls | None = None,
    ) -> None:
        self.compile_seconds = 0.0
        self.seen = 0
        self.rows = 0
        self.no_room = 0
        self.left_out = 0
        self._room = room
        self._tables = room.tables
        self._pause = pause
        self._find_debug_file = find_debug_file
        self._walls = walls or Walls()
        self._use_tables = use_tables
        self._max_open = max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._by_file: dict[FileKey, UnwindObject] = {}
        self._by_number: dict[int, UnwindObject] = {}
        self._free_numbers: deque[int] = deque()
        self._next_number = 1
        self._bad: dict[FileKey, bool] = {}  # whether there is no use in trying again
        self._bad_forgotten = 0
        self._too_many: dict[FileKey, None] = {}
        self._given_out: set[int] = set()
        self._returned: set[int] = set()
        self._closing: list[ObjectFile] = []
        self._unwind_bytes = 0
        self._worker = ThreadPoolExecutor(1)
        self._began = time.monotonic()

    def of(self, pid: int, entry: MapsEntry) -> UnwindObject | None:
        """The object behind a mapping of a process; None when it is no readable ELF file.

        Raises NoTargetError when the process is gone.
        """
        if not entry.has_object:
            return None
        key = _key(entry)
        known = self._by_file.get(key)
        if known is not None:
            return self._used(known)
        return None if self._bad.get(key) else self._open(key, pid, entry)

    def by_name(self, others: Iterable[int], entry: MapsEntry) -> UnwindObject | None:
        """The object behind a mapping of a process that is gone; None when it is not found.

        others: processes in whose roots its name is looked up; the file must be the same.
        """
        if not entry.has_object:
            return None
        key = _key(entry)
        known = self._by_file.get(key)
        if known is not None:
            return self._used(known)
        if not entry.inode or self._bad.get(key):
            return None
        for other in others:
            file = self._named(other, entry)
            if file is not None:
                return self._add(key, file)
        self._remember(key, is_final=False)
        return None

    def known(self, entry: MapsEntry) -> UnwindObject | None:
        """The object behind a mapping, if it is known already."""
        return self._by_file.get(_key(entry)) if entry.has_object else None

    def is_object(self, entry: MapsEntry) -> bool:
        """Whether what is mapped is code of an object. May be called by another thread."""
        known = self.known(entry)
        return known is not None and first_address(entry, known) is not None

    def numbered(self, number: int) -> UnwindObject | None:
        """The object that frames name by this number; None for 0 and for one that was dropped."""
        return self._by_number.get(number)

    def all(self) -> list[UnwindObject]:
        """All objects that are open, by number."""
        return list(self._by_number.values())

    def unused(self) -> list[UnwindObject]:
        """Objects that no list has, and that nobody is about to put into one; the oldest first."""
        found = [one for one in self.all() if not one.users and one.number not in self._given_out]
        return sorted(found, key=lambda one: one.used_at)

    def settle(self) -> None:
        """Whoever asked for objects has put them into lists by now."""
        self._given_out.clear()

    def take_returned(self) -> set[int]:
        """Numbers of objects for which there is room again, while lists say that there is none."""
        returned, self._returned = self._returned, set()
        return returned

    @property
    def unreadable(self) -> int:
        """Files that were asked for and that there is no object of."""
        return self._bad_forgotten + len(self._bad)

    def hold(self, numbers: Iterable[int]) -> None:
        """One more list of mappings has these objects."""
        for number in numbers:
            self._by_number[number].users += 1

    def release(self, numbers: Iterable[int]) -> None:
        """One list less has these objects."""
        for number in numbers:
            known = self._by_number[number]
            known.users -= 1
            known.used_at = time.monotonic()

    def use(self, numbers: Iterable[int]) -> None:
        """Samples met these objects, as far as they are known."""
        now = time.monotonic()
        for number in numbers:
            known = self._by_number.get(number)
            if known is not None:
                known.used_at = now

    def restore(self, known: UnwindObject) -> bool:
        """Compile the table of an object that has none in memory; there may be no room, or it would
        be too dear.

        False when that was known, or it needs none.
        """
        if known.has_no_room or not known.is_absent:
            return False
        if self.is_affordable(known):
            self._compile(known)
        else:
            self._refuse(known)
        return True

    def is_affordable(self, known: UnwindObject) -> bool:
        """Whether time may be spent on an object's table now."""
        now = time.monotonic()
        wait_s = known.unwind_bytes / DEAR_BYTES_PER_S if known.unwind_bytes > DEAR_BYTES else 0.0
        if now < known.tried_at + wait_s:
            return False
        earned = (now - self._began) * UNWIND_BYTES_PER_S
        return self._unwind_bytes <= MAX_UNWIND_BYTES + earned

    def evict(self, known: UnwindObject) -> bool:
        """Take an object's table away; False when it has none. Lists that lead to it are for the
        caller to replace.
        """
        table, known.table = known.table, None
        if table is None:
            return False
        known.is_absent = True
        self._room.take(table)
        return True

    def drop(self, known: UnwindObject) -> None:
        """Forget an object without users and table; its file is for the caller to close.

        Its number is given back by `free_number`.
        """
        del self._by_file[known.key]
        del self._by_number[known.number]
        self._returned.discard(known.number)
        self._too_many.clear()
        self._closing.append(known.file)

    def free_number(self, number: int) -> None:
        """Let another object have a number; no stack may name the one that had it."""
        self._free_numbers.append(number)

    def close(self) -> None:
        """Close the files."""
        self._worker.shutdown()
        for known in self.all():
            known.file.close()

    def _open(self, key: FileKey, pid: int, entry: MapsEntry) -> UnwindObject | None:
        is_final = False
        file = None
        with self._walls.around(entry.path, NoTargetError):
            try:
                file = open_object(pid, entry)
            except (NoPermissionError, NotOpenedError):
                pass  # of this process: another's mapping may do
            except BadFileError:
                is_final = True
        if file is not None:
            return self._add(key, file)
        self._remember(key, is_final=is_final)
        return None

    def _named(self, pid: int, entry: MapsEntry) -> ObjectFile | None:
        with self._walls.around(entry.path), suppress(BadFileError):
            return open_named(pid, entry)
        return None

    def _add(self, key: FileKey, file: ObjectFile) -> UnwindObject | None:
        number = self._number()
        if number is None:
            file.close()
            if key not in self._too_many and len(self._too_many) < MAX_REMEMBERED:
                self._too_many[key] = None
                self.left_out += 1
            return None
        made = UnwindObject(number, key, file, is_absent=self._use_tables)
        self._bad.pop(key, None)
        self._by_file[key] = self._by_number[number] = made
        self.seen += 1
        return self._used(made)

    def _number(self) -> int | None:
        self._closing = [file for file in self._closing if not file.file.closed]
        if len(self._by_number) + len(self._closing) >= self._max_open:
            return None
        if self._next_number <= MAX_OBJECTS:
            self._next_number += 1
            return self._next_number - 1
        return self._free_numbers.popleft() if self._free_numbers else None

    @property
    def is_short_of_numbers(self) -> bool:
        """Whether few are left that can be given out."""
        unused = MAX_OBJECTS - self._next_number + 1
        return unused + len(self._free_numbers) < MAX_OBJECTS // SPARE_NUMBERS

    def _used(self, known: UnwindObject) -> UnwindObject:
        known.used_at = time.monotonic()
        self._given_out.add(known.number)
        if known.has_no_room and self._has_room_now(known):
            known.has_no_room = False
            if known.users:
                self._returned.add(known.number)
        return known

    def _has_room_now(self, known: UnwindObject) -> bool:
        now = time.monotonic()
        if now < known.looked_at + RETRY_S or not self.is_affordable(known):
            return False
        known.looked_at = now
        return self._tables.fits(known.sizes) or self._make_room(known.sizes)

    def _make_room(self, sizes: Sequence[int]) -> bool:
        """Take tables from what nobody uses, the oldest first, and more than is asked for."""
        victims = self._room.choose(self.unused(), sizes, spare=2)
        if victims is None:
            return False
        for one in victims:
            self.evict(one)
        return self._room.take_back() and self._tables.fits(sizes)

    def _remember(self, key: FileKey, *, is_final: bool) -> None:
        self._bad[key] = is_final
        if len(self._bad) > MAX_REMEMBERED:
            del self._bad[next(iter(self._bad))]
            self._bad_forgotten += 1

    def _compile(self, known: UnwindObject) -> None:
        began = time.monotonic()
        bytes_before = self._unwind_bytes
        try:
            task = self._worker.submit(self._rows_or_failure, known.file)
            while not task.done():
                wait([task], PAUSE_S)
                self._pause()
            rows = task.result()
            known.is_absent = rows is not None
            if rows is not None:
                self._place_or_fail(known, rows)
        except EbprofError as error:
            known.failure, known.is_absent = error.message, False
        finally:
            known.tried_at = time.monotonic()
            known.unwind_bytes = self._unwind_bytes - bytes_before
            self.compile_seconds += known.tried_at - began

    def _refuse(self, known: UnwindObject) -> None:
        """It gets no table now; whoever looks for room tries again."""
        if not known.has_no_room:
            self.no_room += 1
        known.has_no_room = known.is_absent = True
        known.looked_at = time.monotonic()

    def _rows_or_failure(self, file: ObjectFile) -> UnwindRows | None:
        with self._walls.around(file.path, EbprofError):
            return self._rows_of(file)
        raise UnwindError(_SURPRISE)

    def _place_or_fail(self, known: UnwindObject, rows: UnwindRows) -> None:
        with self._walls.around(known.file.path, EbprofError):
            self._place(known, rows)
            return
        raise UnwindError(_SURPRISE)

    def _rows_of(self, file: ObjectFile) -> UnwindRows | None:
        sections = frame_sections(file.image)
        if not any(one.is_debug_frame for one in sections):
            sections += self._separate_sections(file)
        self._unwind_bytes += sum(len(section.data) for section in sections)
        made = object_rows(file.image, sections)
        self._unwind_bytes += made.bytes_read
        return made.rows

    def _separate_sections(self, file: ObjectFile) -> tuple[FrameSection, ...]:
        """What the object's debug file has; it is no loss where that cannot be read."""
        found = None
        with self._walls.around(f"debug file of {file.path}"), suppress(BadFileError):
            debug = self._find_debug_file(file)
            if debug is not None:
                with debug:
                    found = debug_frame(file.image, ElfImage(debug))
        return (found,) if found else ()

    def _place(self, known: UnwindObject, rows: UnwindRows) -> None:
        sizes = self._tables.sizes(rows)
        known.table = self._tables.add(rows)
        if known.table is None and self._make_room(sizes):
            known.table = self._tables.add(rows)
        known.sizes = sizes
        if known.table:
            self.rows += known.table.rows
            known.is_absent = known.has_no_room = False
        else:
            self._refuse(known)


def _key(entry: MapsEntry) -> FileKey:
    size = 0 if entry.inode else entry.end - entry.start  # the vDSO: one per architecture
    return entry.device, entry.inode, size
