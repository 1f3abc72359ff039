"""Pushes on disk until a collector has acknowledged them.

A file is `NUMBER-AMOUNT.push`, `.otlp` or `.flows`: a header (magic, CRC-32 and length of what
follows) and a packed message; AMOUNT is that of samples, or of flows, in it. It is written under
another name, synced and renamed, so that it is there as a whole or not at all.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ebprof import durable
from ebprof.agent.kinds import KINDS, PROFILES, Kind
from ebprof.agent.pushes import Push
from ebprof.errors import EbprofError, reason_of
from ebprof.metrics import Counters

MAX_FILE = 64 << 20
_HEADER = struct.Struct("<8sII")
_MAGIC = b"ebprof-1"
_NAME = re.compile(rf"(\d{{1,15}})-(\d{{1,15}})\.({'|'.join(KINDS)})")
_UNFINISHED = re.compile(rf"\.{_NAME.pattern}\.new")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the spool. amount: as a push has it; size: bytes."""

    number: int
    amount: int
    size: int
    kind: Kind = PROFILES

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.number:015}-{self.amount}.{self.kind.suffix}"


class Spool:
    """Files of a directory, oldest first; several threads may use it. max_bytes: of all files.

    kinds: that whoever is pushed to knows; files of others, which an earlier run left, are dropped.
    """

    def __init__(
        self,
        directory: Path,
        max_bytes: int,
        counters: Counters,
        kinds: Iterable[Kind] = KINDS.values(),
    ) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._counters = counters
        self._changed = threading.Condition()
        self._kinds = frozenset(kinds)
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._held: int | None = None
        self._is_over = False
        self._lock = _only_one(directory)
        try:
            self._read_directory()
        except BaseException:
            self.close()
            raise
        self._next = max(self._entries, default=0) + 1
        self._make_room(0)

    @property
    def size(self) -> int:
        """Of all files."""
        with self._changed:
            return sum(one.size for one in self._entries.values())

    def __len__(self) -> int:
        with self._changed:
            return len(self._entries)

    def write(self, push: Push) -> None:
        """Have a push on disk; raises OSError. The oldest make room for it, which is counted."""
        data = _HEADER.pack(_MAGIC, zlib.crc32(push.body), len(push.body)) + push.body
        with self._changed:
            self._make_room(len(data))
            entry = Entry(self._next, push.amount, len(data), push.kind)
            self._next += 1
        try:
            durable.write_file(self._directory / entry.name, data)
        except OSError:
            (self._directory / f".{entry.name}.new").unlink(missing_ok=True)
            raise
        with self._changed:
            self._entries[entry.number] = entry
            self._changed.notify_all()

    def hold(self, wait_s: float) -> Entry | None:
        """The oldest file, which stays until it is removed or another is held; waits for one."""
        with self._changed:
            if not self._entries and not self._is_over:
                self._changed.wait(wait_s)
            entry = next(iter(self._entries.values()), None)
            self._held = entry.number if entry else None
            return entry

    def wake(self) -> None:
        """Let whoever waits for a file go on without one."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def read(self, entry: Entry) -> bytes | None:
        """The body of a push; None for a damaged file, which is counted and removed."""
        try:
            with (self._directory / entry.name).open("rb") as file:
                body = _body(file.read(MAX_FILE))
        except OSError:
            body = None
        if body is None:
            self._count_torn(entry.kind, entry.amount)
            self.remove(entry)
        return body

    def remove(self, entry: Entry) -> None:
        """Forget a push that was acknowledged or refused."""
        with suppress(OSError):
            (self._directory / entry.name).unlink()
        with self._changed:
            self._entries.pop(entry.number, None)
            self._held = None

    def close(self) -> None:
        """Let another agent have the directory."""
        os.close(self._lock)

    def _read_directory(self) -> None:
        for path in sorted(self._directory.iterdir()):
            unfinished, whole = _UNFINISHED.fullmatch(path.name), _NAME.fullmatch(path.name)
            if unfinished:
                self._count_torn(KINDS[unfinished[3]], int(unfinished[2]))
                path.unlink()
            elif whole:
                size = path.stat().st_size
                entry = Entry(int(whole[1]), int(whole[2]), size, KINDS[whole[3]])
                if entry.name == path.name:
                    self._take(entry, path)

    def _take(self, entry: Entry, path: Path) -> None:
        if entry.kind in self._kinds:
            self._entries[entry.number] = entry
        else:
            self._counters.add(entry.kind.dropped, entry.amount, "protocol")
            path.unlink()

    def _make_room(self, size: int) -> None:
        """Drop the oldest until so many bytes fit; the one that is on its way stays."""
        total = size + sum(one.size for one in self._entries.values())
        for entry in list(self._entries.values()):
            if total <= self._max_bytes:
                return
            if entry.number != self._held:
                self._counters.add(entry.kind.dropped, entry.amount, "spool_full")
                with suppress(OSError):
                    (self._directory / entry.name).unlink()
                del self._entries[entry.number]
                total -= entry.size

    def _count_torn(self, kind: Kind, amount: int) -> None:
        self._counters.add("spool_torn_total")
        self._counters.add(kind.dropped, amount, "torn")


def _body(data: bytes) -> bytes | None:
    if len(data) < _HEADER.size:
        return None
    magic, checksum, length = _HEADER.unpack_from(data)
    body = data[_HEADER.size :]
    is_whole = magic == _MAGIC and length == len(body) and checksum == zlib.crc32(body)
    return body if is_whole else None


def _only_one(directory: Path) -> int:
    """A lock on a directory, which is made; raises EbprofError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / "lock", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = reason_of(error)
        raise EbprofError(f"cannot use {directory}: {reason}", "give another --spool") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise EbprofError(
            f"{directory} is another agent's", "end that one, or give another --spool"
        ) from None
    return lock
