"""Symbols of a collector: takes object files, and has addresses named by them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from ebprof.collector.receive.refusals import RefusedError
from ebprof.collector.receive.unpack import unpack
from ebprof.collector.retention import Retention
from ebprof.collector.symbols.client import LookupClient
from ebprof.collector.symbols.files import ObjectFiles
from ebprof.collector.symbols.finder import Finder
from ebprof.collector.symbols.resolver import Names, Resolver
from ebprof.collector.symbols.uploads import BusyError, Offer, Uploads
from ebprof.metrics import Counters, Value
from ebprof.symbolize.elsewhere import Elsewhere
from ebprof.wire import symbols as wire

MAX_BODY = wire.PART + (64 << 10)
"""Bytes of a request, packed or not."""
MOST_WAITING = 32
"""Parts of object files at once."""
_TAKING = 2


@dataclass(frozen=True, slots=True)
class Holding:
    """What there is of an object: the quality of its file and of its debug file, 0 without one.

    is_nowhere: servers were asked for more, and have none.
    """

    object: int
    debug: int
    is_nowhere: bool


class Symbols:
    """Object files of a directory, and names for a store. For one event loop; `run` it.

    max_bytes: of all object files. elsewhere: where to look for more. retention: gives the store's.
    """

    def __init__(
        self,
        data: Path,
        max_bytes: int,
        store: Names,
        counters: Counters,
        elsewhere: Elsewhere,
        retention: Callable[[], Retention],
    ) -> None:
        self._counters = counters
        self._files = ObjectFiles(data / "objects", max_bytes)
        self._uploads = Uploads(self._files, self._note_file)
        self._client = LookupClient(data / "symcache")
        self._resolver = Resolver(self._files, store, self._client, counters)
        self._finder = Finder(elsewhere, self._files, store, counters, self._note_file, retention)
        self._threads = ThreadPoolExecutor(_TAKING, "objects")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting = 0

    async def run(self) -> None:
        """Have addresses named until this is cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.gather(self._resolver.run(), self._finder.run())
        finally:
            self._client.close()

    def close(self) -> None:
        """Let nothing be done any more; a stream that has not come to its end is lost."""
        self._threads.shutdown()

    def note_addresses(self, identities: Iterable[str]) -> None:
        """There are new addresses of these objects in the store."""
        self._resolver.note_addresses(identities)
        self._finder.note_addresses(identities)

    def held(self, identity: str) -> Holding:
        """What there is of an object, and whether servers have no more."""
        program, debug = self._files.qualities(identity)
        return Holding(program, debug, self._finder.was_asked(identity))

    async def want(self, data: bytes, encoding: str) -> bytes:
        """A WantRequest to its answer; raises RefusedError."""
        request = _parsed(wire.WantRequest, data, encoding)
        if len(request.offers) > wire.MAX_OFFERS:
            raise RefusedError(f"more than {wire.MAX_OFFERS} offers")
        offers = [_offer(request.sender, one) for one in request.offers]
        return await self._in_thread(self._decide, offers)

    async def upload(self, data: bytes, encoding: str) -> bytes:
        """An UploadRequest to its answer; raises RefusedError."""
        request = _parsed(wire.UploadRequest, data, encoding)
        try:
            return await self._in_thread(self._take, request)
        except RefusedError as error:
            self._counters.add("object_uploads_total", label=error.reason)
            raise

    def metrics(self) -> dict[str, Value]:
        """Values of metrics that are not counted."""
        return {
            "objects": len(self._files),
            "object_bytes": self._files.size + self._uploads.size,
            "object_limit_bytes": self._files.max_bytes,
            "objects_missing": len(self._resolver.missing),
            "objects_evicted_total": self._files.evicted,
            "object_problems_total": self._client.problems,
            "debug_dir_files": self._finder.folder_files,
            "debuginfod_received_bytes_total": self._finder.received,
        }

    def _decide(self, offers: list[Offer]) -> bytes:
        answer = wire.WantResponse()
        for offer in offers:
            verdict, offset = self._uploads.decide(offer)
            answer.decisions.add(verdict=int(verdict), offset=offset)
        return bytes(answer.SerializeToString())

    def _take(self, request: Any) -> bytes:
        offer = _offer(request.sender, request.offer)
        progress = self._uploads.take(offer, request.offset, request.data, request.sha256)
        self._counters.add("object_received_bytes_total", len(request.data))
        if progress.is_kept:
            self._counters.add("object_uploads_total", label="kept")
        answer = wire.UploadResponse(offset=progress.offset, is_kept=progress.is_kept)
        return bytes(answer.SerializeToString())

    def _note_file(self, identity: str) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(self._resolver.note_file, identity)

    async def _in_thread(self, call: Any, *arguments: Any) -> bytes:
        if self._waiting >= MOST_WAITING:
            raise BusyError("too many object files at once", "send it again later")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            found: bytes = await loop.run_in_executor(self._threads, call, *arguments)
            return found
        finally:
            self._waiting -= 1


def _parsed(kind: Any, data: bytes, encoding: str) -> Any:
    message = kind()
    try:
        message.ParseFromString(unpack(data, encoding, MAX_BODY))
    except DecodeError as error:
        raise RefusedError(f"not a {message.DESCRIPTOR.full_name}: {error}") from None
    return message


def _offer(sender: str, message: Any) -> Offer:
    return Offer(sender, message.id, message.is_debug, message.quality, message.size)
