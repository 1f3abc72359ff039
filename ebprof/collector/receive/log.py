"""The log: pushes on disk, in segments, until the store has them.

A segment is written under the name `NUMBER.open`. It is sealed after a time or a size: renamed to
`NUMBER.log`, after the IDs in it were written. Only sealed segments are read. Numbers are never
used twice, since the store tells by them what it has.

One thread writes: what arrives while it waits for the disk goes into its next write, so that under
load many pushes share one fsync and without load none waits for another.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from ebprof.collector.receive import records
from ebprof.collector.receive.ids import SeenIds, key_of
from ebprof.collector.receive.records import Record
from ebprof.collector.receive.refusals import BrokenError, FullError
from ebprof.durable import rename, sync_directory

_OPEN, _SEALED = ".open", ".log"
_MAX_QUEUED = 64 << 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogOptions:
    """max_bytes: of all segments; beyond it pushes are refused. seal_s, seal_bytes: when the
    segment that is written is full; by time only while fewer than `most_sealed` wait for the store,
    which takes longer for many small ones than for a large one.
    """

    max_bytes: int = 4 << 30
    seal_s: float = 2.0
    seal_bytes: int = 16 << 20
    most_sealed: int = 2


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed segment, which the store may read."""

    number: int
    path: Path
    size: int


@dataclass(slots=True)
class LogStatistics:
    """Since the start. cut_bytes: torn records at the ends of segments that a crash left."""

    commits: int = 0
    records: int = 0
    cut_bytes: int = 0


@dataclass(slots=True)
class _Pending:
    data: bytes
    keys: list[bytes]
    done: Future[None] = field(default_factory=Future)


@dataclass(slots=True)
class _Open:
    """The segment that is written. keys: IDs in it that are on disk."""

    number: int
    path: Path
    descriptor: int
    since: float
    size: int = 0
    keys: set[bytes] = field(default_factory=set)


class PushLog:
    """Appends records and seals segments, in a thread of its own, until it is closed.

    In what is left of an earlier run, torn records are cut off and segments are sealed first.

    failed: why the last write was refused by the disk, empty where it was not; failed_at: when, by
    time.monotonic().
    """

    def __init__(self, directory: Path, seen: SeenIds, options: LogOptions = LogOptions()) -> None:
        self._directory = directory
        self._seen = seen
        self._options = options
        self._lock = threading.Condition()
        self._queue: list[_Pending] = []
        self._writing: list[_Pending] = []
        self._queued = 0
        self._in_flight: dict[bytes, Future[None]] = {}
        self._open: _Open | None = None
        self._sealed: dict[int, Segment] = {}
        self._is_closing = False
        self._broken = ""
        self.failed, self.failed_at = "", 0.0
        self.statistics = LogStatistics()
        self._recover()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def append(self, record: Record, keys: Sequence[bytes]) -> Future[None]:
        """Have a record written; the future is done when it is on disk.

        keys: of the IDs in the record, none of them known. Raises FullError, BrokenError.
        """
        pending = _Pending(records.frame(record), list(keys))
        with self._lock:
            self._check_room(len(pending.data))
            self._queue.append(pending)
            self._queued += len(pending.data)
            self._in_flight.update(dict.fromkeys(keys, pending.done))
            self._lock.notify()
        return pending.done

    def find(self, keys: Sequence[bytes]) -> list[Future[None] | None]:
        """For each ID, the future of the record that has it; None where it is new."""
        done: Future[None] = Future()
        done.set_result(None)
        with self._lock:
            is_open = self._open.keys if self._open else set()
            sealed = self._seen.known(keys)
            return [
                self._in_flight.get(key) or (done if is_sealed or key in is_open else None)
                for key, is_sealed in zip(keys, sealed, strict=True)
            ]

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        with self._lock:
            return self._size()

    @property
    def broken(self) -> str:
        """Why nothing can be written any more; empty while it can."""
        return self._broken

    def sealed(self) -> list[Segment]:
        """Segments that the store may read, oldest first."""
        with self._lock:
            return [self._sealed[number] for number in sorted(self._sealed)]

    def remove(self, segment: Segment) -> None:
        """Forget a segment that the store has."""
        segment.path.unlink(missing_ok=True)
        sync_directory(self._directory)
        with self._lock:
            self._sealed.pop(segment.number, None)
            self._lock.notify()

    def close(self) -> None:
        """Write what was appended, and seal the last segment."""
        with self._lock:
            self._is_closing = True
            self._lock.notify()
        self._thread.join()

    def _size(self) -> int:
        is_open = self._open.size if self._open else 0
        return is_open + sum(one.size for one in self._sealed.values())

    def _check_room(self, size: int) -> None:
        if self._broken or self._is_closing:
            raise BrokenError(f"the log is not written any more: {self._broken or 'closing'}")
        if self._queued + size > _MAX_QUEUED + size * (not self._queue):
            raise FullError("the disk of the log is too slow", "send it again later")
        if self._size() + self._queued + size > self._options.max_bytes:
            raise FullError("the log is full until the store has caught up", "send it again later")

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:
            self._break(error)

    def _turn(self) -> bool:
        """Write what is queued or seal what is full; False at the end."""
        with self._lock:
            if not self._queue and not self._is_closing:
                self._lock.wait(self._until_sealed())
            batch, self._queue, self._queued = self._queue, [], 0
            is_last = self._is_closing
        self._writing = batch
        if batch:
            self._commit(batch)
        if self._open and (is_last or self._is_full(self._open)):
            self._try_to_seal(self._open)
        return not is_last

    def _until_sealed(self) -> float | None:
        if self._open is None or len(self._sealed) >= self._options.most_sealed:
            return None
        return max(0.0, self._open.since + self._options.seal_s - time.monotonic())

    def _is_full(self, segment: _Open) -> bool:
        if segment.size >= self._options.seal_bytes:
            return True
        age = time.monotonic() - segment.since
        return age >= self._options.seal_s and len(self._sealed) < self._options.most_sealed

    def _commit(self, batch: list[_Pending]) -> None:
        try:
            segment = self._open or self._start()
            self._write(segment, b"".join(one.data for one in batch))
        except OSError as error:
            self._fail(batch, error)
            return
        self.failed = ""
        with self._lock:
            for one in batch:
                segment.keys.update(one.keys)
                self._forget(one)
        self.statistics.commits += 1
        self.statistics.records += len(batch)
        for one in batch:
            one.done.set_result(None)

    def _write(self, segment: _Open, data: bytes) -> None:
        """Append bytes and have them on disk; raises OSError where nothing of them stays there."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(segment.descriptor, left) :]
        except OSError:
            _certainly(os.ftruncate, segment.descriptor, segment.size)
            raise
        _certainly(os.fdatasync, segment.descriptor)
        with self._lock:
            segment.size += len(data)

    def _fail(self, batch: list[_Pending], error: OSError) -> None:
        self.failed, self.failed_at = str(error.strerror), time.monotonic()
        with self._lock:
            for one in batch:
                self._forget(one)
        for one in batch:
            one.done.set_exception(FullError(f"cannot write the log: {error.strerror}"))

    def _forget(self, pending: _Pending) -> None:
        for key in pending.keys:
            self._in_flight.pop(key, None)

    def _break(self, error: Exception) -> None:
        _log.error("the log is not written any more: %s", error)
        with self._lock:
            self._broken = str(error) or type(error).__name__
            waiting = [*self._writing, *self._queue]
        for one in waiting:
            if not one.done.done():
                one.done.set_exception(BrokenError(f"the log is not written any more: {error}"))

    def _start(self) -> _Open:
        last = max((self._seen.last, *self._sealed))
        number = max(last + 1, time.time_ns() // 1_000_000)
        path = self._directory / f"{number:016d}{_OPEN}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        sync_directory(self._directory)
        with self._lock:
            self._open = _Open(number, path, descriptor, time.monotonic())
        return self._open

    def _try_to_seal(self, segment: _Open) -> None:
        """Seal a segment, or try again later where the disk has no room for its IDs."""
        try:
            self._seal(segment)
        except OSError as error:
            _log.warning("cannot seal a segment of the log: %s", error.strerror)
            segment.since = time.monotonic()

    def _seal(self, segment: _Open) -> None:
        with self._lock:
            self._seen.add(segment.number, segment.keys)
            os.close(segment.descriptor)
            self._sealed[segment.number] = _sealed(segment.number, segment.path)
            self._open = None

    def _recover(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._directory.glob(f"*{_OPEN}")):
            self._recover_open(path)
        for path in self._directory.glob(f"*{_SEALED}"):
            number = int(path.stem)
            self._sealed[number] = Segment(number, path, path.stat().st_size)

    def _recover_open(self, path: Path) -> None:
        """Cut off what was never acknowledged, and seal the rest."""
        data = path.read_bytes()
        length = records.whole_length(data)
        if length < len(data):
            self.statistics.cut_bytes += len(data) - length
            _log.warning("%s: cut off %d bytes of a torn record", path.name, len(data) - length)
        if not length:
            path.unlink()
            return
        with path.open("r+b") as file:
            file.truncate(length)
            os.fsync(file.fileno())
        self._seen.add(int(path.stem), set(_keys_of(data[:length])))
        _sealed(int(path.stem), path)


def _certainly(function: Callable[..., None], *arguments: int) -> None:
    """Call what has to succeed: else it is not known what is on disk, and nobody may write on."""
    try:
        function(*arguments)
    except OSError as error:
        raise RuntimeError(f"{function.__name__} failed: {error.strerror}") from error


def _sealed(number: int, path: Path) -> Segment:
    path = rename(path, f"{number:016d}{_SEALED}")
    return Segment(number, path, path.stat().st_size)


def _keys_of(data: bytes) -> list[bytes]:
    """Keys of all IDs in the records of a segment."""
    keys = []
    for record in records.split(data):
        message = record.message()
        keys += [key_of(one.ID) for series in message.series for one in series.samples if one.ID]
        if message.HasField("flows"):
            keys.append(key_of(message.flows.id))
    return keys
