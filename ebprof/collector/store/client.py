"""Our end of the store's process: starts it, again when it dies, and hands it requests."""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from ebprof.collector.receive.log import Segment
from ebprof.collector.retention import Retention
from ebprof.collector.store.frames import FrameRow
from ebprof.collector.store.question import BadQuestionError, Question, StoreError
from ebprof.collector.store.wire import (
    HEADER,
    Failure,
    KeepRequest,
    NameRequest,
    WriteRequest,
    Written,
    pack,
)

_RESTART_S = 1.0
MOST_WAITING = 64
_log = logging.getLogger(__name__)


class StoreClient:
    """The process, and what it was asked. For one event loop.

    restarts: how often it died. retention: of the next process.
    """

    def __init__(self, directory: Path, retention: Retention) -> None:
        self._directory = directory
        self.retention = retention
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self.is_ready = False
        self.restarts = 0

    async def run(self) -> None:
        """Keep the process running until this is cancelled."""
        try:
            while True:
                await self._run_once()
                self.restarts += 1
                _log.warning("the store's process ended: it is started again")
                await asyncio.sleep(_RESTART_S)
        finally:
            self._end()

    async def ask(self, question: Question) -> Any:
        """The answer to a question; raises BadQuestionError, StoreError."""
        if len(self._waiting) >= MOST_WAITING:
            raise StoreError("too many queries are waiting", "ask again later")
        return await self._request(question)

    async def write(self, segment: Segment) -> Written:
        """Have a segment in the database; raises StoreError."""
        answer = await self._request(WriteRequest(segment.number, str(segment.path)))
        assert isinstance(answer, Written)
        return answer

    async def keep(self) -> None:
        """Have the process keep the retention as it is now; raises StoreError."""
        await self._request(KeepRequest(self.retention))

    async def name(self, frames: tuple[FrameRow, ...], version: int) -> None:
        """Have frames of addresses named in the database; raises StoreError."""
        await self._request(NameRequest(frames, version))

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        return self._process.pid if self._process else None

    async def _request(self, request: object) -> Any:
        if not self.is_ready or self._socket is None:
            raise StoreError("the store is starting", "ask again in a few seconds")
        self._last += 1
        number = self._last
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._socket.write(pack(number, request))
            await self._socket.drain()
            answer = await future
        except OSError:
            raise StoreError("the store's process ended", "ask again in a few seconds") from None
        finally:
            self._waiting.pop(number, None)
        if isinstance(answer, Failure):
            kind = BadQuestionError if answer.is_question else StoreError
            raise kind(answer.message, answer.hint)
        return answer

    async def _run_once(self) -> None:
        reader = await self._start()
        try:
            await self._listen(reader)
        except (EOFError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._end()

    async def _start(self) -> asyncio.StreamReader:
        ours, theirs = socket.socketpair()
        kept = self.retention
        command = [
            *(sys.executable, "-m", "ebprof.collector.store.process"),
            *(str(theirs.fileno()), str(self._directory)),
            *map(str, (kept.raw_ms, kept.hour_ms, kept.day_ms)),
        ]
        # Its own session: Ctrl-C at the terminal is the collector's.
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True
        )
        theirs.close()
        reader, self._socket = await asyncio.open_connection(sock=ours)
        return reader

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            number, length = HEADER.unpack(await reader.readexactly(HEADER.size))
            answer = pickle.loads(await reader.readexactly(length))
            if not number:
                self.is_ready = True
                continue
            future = self._waiting.get(number)
            if future is not None and not future.done():
                future.set_result(answer)

    def _end(self) -> None:
        self.is_ready = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(OSError("the store's process ended"))
