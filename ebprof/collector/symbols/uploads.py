"""Takes object files in parts: which are wanted, how far they have come, whether they are right.

The parts of a stream are appended to a file of their own. One sender at a time sends an object;
who goes silent loses his turn.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ebprof.collector.receive.refusals import FullError, RefusedError, TooLargeError
from ebprof.collector.symbols.files import ObjectFiles, Part
from ebprof.errors import BadFileError
from ebprof.symbolize.ids import is_hash, is_object_id
from ebprof.symbolize.quality import Quality
from ebprof.symbolize.received import receive
from ebprof.walls import refusing
from ebprof.wire.symbols import Verdict

MAX_STREAM = 1 << 30
MAX_STREAMS = 32
MIN_FREE = 1 << 30
TURN_S = 60.0
"""Where nothing came for so long, another sender may send the object."""
SHARE = 4
"""Streams take one part of so many of the space for objects, at most."""
_SENDER = re.compile(r"[0-9a-zA-Z-]{8,64}")
_BLOCK = 1 << 20


class BusyError(FullError):
    """It can be taken later."""

    reason = "later"


@dataclass(frozen=True, slots=True)
class Offer:
    """An object file that can be sent; size: of its stream."""

    sender: str
    identity: str
    is_debug: bool
    quality: int
    size: int

    @property
    def part(self) -> Part:
        """What it is of."""
        return self.identity, self.is_debug

    @property
    def is_possible(self) -> bool:
        """Whether it can be wanted at all. What has no build ID has no debug file that can be
        known for one.
        """
        return (
            is_object_id(self.identity)
            and not (self.is_debug and is_hash(self.identity))
            and _SENDER.fullmatch(self.sender) is not None
            and self.quality in tuple(Quality)
            and 0 < self.size <= MAX_STREAM
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of a stream that have come, and whether the object is kept."""

    offset: int
    is_kept: bool = False


@dataclass(slots=True)
class _Stream:
    offer: Offer
    path: Path
    received: int
    touched: float
    is_busy: bool = False


class Uploads:
    """Streams that are on their way to `files`; several threads may use it.

    kept: is told of each object of which a file was added.
    """

    def __init__(
        self,
        files: ObjectFiles,
        kept: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = files
        self._kept = kept
        self._clock = clock
        self._lock = threading.Lock()
        self._streams: dict[Part, _Stream] = {}
        self._directory = files.directory / "new"
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(mode=0o700)

    @property
    def size(self) -> int:
        """Bytes of streams on disk."""
        with self._lock:
            return sum(one.received for one in self._streams.values())

    def decide(self, offer: Offer) -> tuple[Verdict, int]:
        """Whether an object is wanted, and from which offset of its stream on."""
        with self._lock:
            return self._decide(offer)

    def take(self, offer: Offer, offset: int, data: bytes, sha256: bytes) -> Progress:
        """Take a part of a stream. It is on disk, as a whole, when `is_kept` says so.

        sha256: of the whole stream, with its last part. Raises RefusedError.
        """
        stream = self._stream(offer)
        if stream is None:
            return Progress(0)
        try:
            return self._append(stream, offset, data, sha256)
        except OSError as error:
            self._drop(stream)
            raise BusyError(f"the object cannot be written: {error.strerror}") from None
        except RefusedError:
            self._drop(stream)
            raise
        finally:
            stream.touched, stream.is_busy = self._clock(), False

    def _decide(self, offer: Offer) -> tuple[Verdict, int]:
        if not offer.is_possible:
            return Verdict.NEVER, 0
        if self._files.quality(offer.part) >= offer.quality:
            return Verdict.KNOWN, 0
        stream = self._streams.get(offer.part)
        if stream is None:
            return (Verdict.WANTED if self._has_room(offer) else Verdict.LATER), 0
        if stream.offer == offer and not stream.is_busy:
            return Verdict.WANTED, stream.received
        is_over = self._clock() >= stream.touched + TURN_S and not stream.is_busy
        return (Verdict.WANTED if is_over else Verdict.LATER), 0

    def _has_room(self, offer: Offer) -> bool:
        now = self._clock()
        for stream in list(self._streams.values()):
            if now >= stream.touched + TURN_S and not stream.is_busy:
                self._forget(stream)
        promised = sum(one.offer.size for one in self._streams.values())
        is_small = promised + offer.size <= max(self._files.max_bytes // SHARE, MAX_STREAM)
        free = shutil.disk_usage(self._directory).free
        return is_small and len(self._streams) < MAX_STREAMS and free > MIN_FREE + offer.size

    def _stream(self, offer: Offer) -> _Stream | None:
        """The stream of a sender, which is busy from now on; None where it is not his turn."""
        with self._lock:
            verdict, _ = self._decide(offer)
            if verdict == Verdict.NEVER:
                raise RefusedError("not an object file that can be kept")
            stream = self._streams.get(offer.part)
            if verdict != Verdict.WANTED:
                if stream is not None and stream.offer == offer:
                    raise BusyError("a part of this object is being taken")
                return None
            if stream is None or stream.offer != offer:
                if stream is not None:
                    self._forget(stream)
                stream = self._streams[offer.part] = self._new(offer)
            stream.is_busy = True
            return stream

    def _new(self, offer: Offer) -> _Stream:
        kind = "debug" if offer.is_debug else "object"
        path = self._directory / f"{offer.identity}.{kind}.stream"
        path.unlink(missing_ok=True)
        return _Stream(offer, path, 0, self._clock())

    def _append(self, stream: _Stream, offset: int, data: bytes, sha256: bytes) -> Progress:
        if offset != stream.received:
            return Progress(stream.received)
        if offset + len(data) > stream.offer.size:
            raise TooLargeError("a stream is longer than it was said to be")
        with stream.path.open("ab") as file:
            file.write(data)
        stream.received += len(data)
        if stream.received < stream.offer.size:
            return Progress(stream.received)
        if _sha256(stream.path) != sha256:
            raise RefusedError("the checksum of an object is wrong")
        self._finish(stream)
        self._drop(stream)
        self._kept(stream.offer.identity)
        return Progress(stream.received, is_kept=True)

    def _finish(self, stream: _Stream) -> None:
        target = stream.path.with_suffix(".file")
        try:
            with refusing(OSError):
                quality = receive(stream.path, target, stream.offer.identity)
            self._files.add(stream.offer.part, quality, target)
        except BadFileError as error:
            raise RefusedError(f"not the object file that was offered: {error.message}") from None
        finally:
            target.unlink(missing_ok=True)

    def _drop(self, stream: _Stream) -> None:
        with self._lock:
            self._forget(stream)

    def _forget(self, stream: _Stream) -> None:
        if self._streams.get(stream.offer.part) is stream:
            del self._streams[stream.offer.part]
            with suppress(OSError):
                stream.path.unlink(missing_ok=True)


def _sha256(path: Path) -> bytes:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_BLOCK):
            found.update(data)
    return found.digest()
