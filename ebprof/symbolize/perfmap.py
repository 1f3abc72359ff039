"""Perf maps: a JIT's own account of its code, `/tmp/perf-PID.map`, `START SIZE name` a line.

The file is the profiled process's, so nothing about it is believed: `/tmp` is entered from the
process's own root one name at a time, no link is followed (a link could lead to any file of the
host, and its lines would be shown), only a regular file of the process's user is opened, or one of
root's that everybody may read (anything can be mounted there, or linked to), and its size and lines
are bounded.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from io import FileIO

import numpy as np

from ebprof.elf import reopen_regular
from ebprof.errors import BadFileError, EbprofError
from ebprof.procfs import process
from ebprof.procfs.text import printable
from ebprof.symbolize.budget import Budget
from ebprof.symbolize.ranges import RangeTable
from ebprof.symbolize.source import Call

MAX_BYTES = 128 << 20
MAX_ENTRIES = 1 << 20

_BLOCK = 4 << 20
_HEAD = 4 << 20
"""Bytes at the start that are looked at again, to see whether the map was written anew."""
_TAIL = 4 << 10
"""As many of those read last."""
_MAX_LINE = 16 << 10
_ENTRY_SIZE = 200
"""Bytes that an entry takes beside its name."""
_ADDRESS_END = 1 << 64


@dataclass(frozen=True, slots=True)
class _Owner:
    """Where a process's perf map is to be and who may have written it."""

    root: str
    number: int
    users: frozenset[int]


class PerfMap:
    """The perf map of one process, read on as it grows, and anew when another takes its place.

    A JIT may write its map anew while it runs, into the same file or one that it renames. What the
    map before it said is then kept for addresses that the new one does not name.

    The file is held open once it is found, so that it can still be read when the process, and
    with it the way to its root, is gone. budget: bytes that the entries of all maps may take.
    """

    def __init__(self, pid: int, budget: Budget | None = None) -> None:
        self.pid = pid
        self._budget = budget
        self.path = f"/tmp/perf-{pid}.map"
        self.malformed = 0
        self._refused = ""
        self._file: FileIO | None = None
        self._done = 0
        self._head = b""
        self._tail = b""
        self._cut = False
        self._entries: list[tuple[int, int, bytes]] = []
        self._current = 0  # where the entries of the map that is in force begin
        self._spent = 0
        self._table: RangeTable | None = None
        self._order = np.empty(0, np.intp)

    @property
    def warnings(self) -> list[str]:
        """Why names may be missing, one sentence each."""
        found = [self._refused] if self._refused else []
        if self.malformed:
            found.append(f"{self.path}: {self.malformed} malformed lines")
        if self._cut or len(self._entries) >= MAX_ENTRIES:
            found.append(f"{self.path} is too large and was read in part")
        return found

    def refresh(self) -> None:
        """Open the file that is there by now, and read what is new in it."""
        if self._file is None:
            self._file = self._open_or_none()
        else:
            self._follow(self._file)
        if self._file is not None:
            try:
                self._read_on(self._file)
            except OSError as error:
                self._refused = f"{self.path}: {error.strerror}"

    def find(self, address: int) -> tuple[Call, ...]:
        """The function that holds an address; of several, the one written last (code moves)."""
        entry = self._latest(address)
        return (Call(printable(entry[2])),) if entry else ()

    def extent(self, address: int) -> tuple[int, int] | None:
        """Where the function that holds an address begins and ends; None for none."""
        entry = self._latest(address)
        return entry[:2] if entry else None

    def _latest(self, address: int) -> tuple[int, int, bytes] | None:
        if self._table is None:
            self._table = self._build_table()
        latest = max((int(self._order[i]) for i in self._table.covering(address)), default=-1)
        return self._entries[latest] if latest >= 0 else None

    @property
    def is_found(self) -> bool:
        """Whether there is a map, or was one."""
        return self._file is not None or bool(self._entries)

    def close(self) -> None:
        """Close the file; what was read stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def forget(self) -> None:
        """Close the file and drop what was read; others may spend what it took."""
        self.close()
        self._entries.clear()
        self._current = 0
        self._table = None
        self._spend(-self._spent)

    def _follow(self, file: FileIO) -> None:
        """Go over to the file that has taken the place of the open one, if one has."""
        try:
            other = _open_map(_owner_of(self.pid))
        except (OSError, EbprofError):  # gone, or not there any more, or not to be read
            return
        if os.path.sameopenfile(file.fileno(), other.fileno()):
            other.close()
        else:
            file.close()
            self._file = other
            self._start_anew()

    def _start_anew(self) -> None:
        """Another map is in force: of those before it, keep the last one."""
        del self._entries[: self._current]
        self._current = len(self._entries)
        self._done, self._head, self._tail = 0, b"", b""
        self._table = None

    def _is_rewritten(self, file: FileIO, size: int) -> bool:
        if size < self._done:
            return True
        head = os.pread(file.fileno(), len(self._head), 0)
        tail = os.pread(file.fileno(), len(self._tail), self._done - len(self._tail))
        return head != self._head or tail != self._tail

    def _open_or_none(self) -> FileIO | None:
        try:
            owner = _owner_of(self.pid)
        except EbprofError:
            # It is gone. A command that ran among our own files has left its map there.
            owner = _Owner("/", self.pid, frozenset({os.geteuid()}))
        self.path = f"/tmp/perf-{owner.number}.map"
        try:
            return _open_map(owner)
        except FileNotFoundError:
            return None
        except (OSError, BadFileError) as error:
            self._refused = f"{self.path} of PID {self.pid} was not read: {error}"
            return None

    def _read_on(self, file: FileIO) -> None:
        size = os.fstat(file.fileno()).st_size
        if self._is_rewritten(file, size):
            self._start_anew()
        self._cut = size > MAX_BYTES
        while self._read_block(file, min(size, MAX_BYTES)):
            self._table = None

    def _read_block(self, file: FileIO, end: int) -> bool:
        """Read whole lines before `end`; False when there are none."""
        if end <= self._done or not self._is_affordable():
            return False
        data = os.pread(file.fileno(), min(end - self._done, _BLOCK), self._done)
        lines, newline, rest = data.rpartition(b"\n")
        if not newline and len(rest) <= _MAX_LINE:
            return False
        read = data[: len(lines) + 1 if newline else len(rest)]
        self._done += len(read)
        self._head = self._head or read[:_HEAD]
        self._tail = (self._tail + read[-_TAIL:])[-_TAIL:]
        known = len(self._entries)
        self._add(lines)
        self._spend(len(lines) + _ENTRY_SIZE * (len(self._entries) - known))
        return True

    def _spend(self, amount: int) -> None:
        self._spent += amount
        if self._budget:
            self._budget.spend(amount)

    def _is_affordable(self) -> bool:
        return self._budget is None or self._budget.allows()

    def _add(self, lines: bytes) -> None:
        for line in lines.split(b"\n"):
            if len(self._entries) >= MAX_ENTRIES:
                return
            entry = _parse(line)
            if entry is None:
                self.malformed += bool(line)
            else:
                self._entries.append(entry)

    def _build_table(self) -> RangeTable:
        starts = np.array([entry[0] for entry in self._entries], np.uint64)
        ends = np.array([entry[1] for entry in self._entries], np.uint64)
        self._order = np.argsort(starts, kind="stable")
        return RangeTable(starts[self._order], ends[self._order])


def _parse(line: bytes) -> tuple[int, int, bytes] | None:
    """Start, end and name; None for anything else."""
    if len(line) > _MAX_LINE:
        return None
    try:
        start_text, size_text, name = line.split(None, 2)  # by blanks or a tab, as perf does
        start, size = int(start_text, 16), int(size_text, 16)
    except ValueError:
        return None
    if start < 0 or size <= 0 or start + size >= _ADDRESS_END or not name.strip():
        return None
    return start, start + size, name.rstrip()


def _owner_of(pid: int) -> _Owner:
    users = frozenset(process.user_ids(pid))
    return _Owner(f"{process.directory(pid)}/root", process.namespace_pid(pid), users)


def _open_map(owner: _Owner) -> FileIO:
    path = os.O_PATH | os.O_CLOEXEC
    root = os.open(owner.root, path | os.O_DIRECTORY)
    try:
        directory = os.open("tmp", path | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
    finally:
        os.close(root)
    try:
        place = os.open(f"perf-{owner.number}.map", path | os.O_NOFOLLOW, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        return _open_owned(place, owner)
    finally:
        os.close(place)


def _open_owned(place: int, owner: _Owner) -> FileIO:
    info = os.fstat(place)
    is_roots = info.st_uid == 0 and info.st_mode & stat.S_IROTH
    if info.st_uid not in owner.users and not is_roots:
        whose = "root, and not everybody may read it" if info.st_uid == 0 else f"user {info.st_uid}"
        raise BadFileError(f"it belongs to {whose}")
    return reopen_regular(place)
