"""Our end of the store's process: starts it, again when it dies, and hands it requests."""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ebprof.collector.receive.log import Segment
from ebprof.collector.retention import Retention
from ebprof.collector.store.ending import MOST_ENDS, Ending, ending_of
from ebprof.collector.store.frames import FrameRow
from ebprof.collector.store.question import BadQuestionError, Question, StoreError, Work
from ebprof.collector.store.url import StoreUrl
from ebprof.collector.store.wire import (
    ELSEWHERE,
    HEADER,
    Away,
    EnrichRequest,
    Failure,
    KeepRequest,
    NameRequest,
    TidyRequest,
    WorkRequest,
    WriteRequest,
    Written,
    pack,
)
from ebprof.errors import EbprofError

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""From an end to the next start: twice as long each time, until it has lasted."""
STEADY_S = 60.0
COMMAND = (sys.executable, "-m", "ebprof.collector.store.process")
_LAST_WORDS_S, _END_S = 2.0, 10.0
_MOST_WORDS = 1 << 16
_STARTING = "the store is starting"
_AWAY = "the store is away: "
MOST_WAITING = 64
_log = logging.getLogger(__name__)


class CannotStartError(EbprofError):
    """The store does not start, however often it is tried."""


class StoreClient:
    """The process, and what it was asked. For one event loop. url: of the server that the store is
    on, if it is not in the directory. noted: is told of each end.

    restarts: how often the process died. retention: of the next process, and of this one once
    `keep` has told it. trouble: why it does not answer, None while it does.
    """

    def __init__(
        self,
        directory: Path,
        retention: Retention,
        noted: Callable[[Ending], None],
        url: StoreUrl | None = None,
    ) -> None:
        self._directory = directory
        self._url = url
        self._noted = noted
        self.retention = retention
        self.trouble: str | None = _STARTING
        self._was_ready = False
        self._revision = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self.is_ready = False
        self.restarts = 0

    async def run(self) -> None:
        """Keep the process running until this is cancelled.

        Raises EbprofError where it never answered, and would not.
        """
        wait_s, ends = FIRST_WAIT_S, 0
        try:
            while True:
                began = time.monotonic()
                ending = await self._run_once()
                self._end()
                self.restarts += 1
                ends += ending.is_its_own
                self._noted(ending)
                if not self._was_ready and (ending.is_for_ever or ends >= MOST_ENDS):
                    raise _cannot_start(ending)
                if time.monotonic() - began > STEADY_S:
                    wait_s = FIRST_WAIT_S
                self.trouble = f"{ending}; it is started again after {wait_s:g} s"
                _log.warning("%s", self.trouble)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        finally:
            self._end()

    async def ask(self, question: Question) -> Any:
        """The answer to a question; raises BadQuestionError, StoreError."""
        if len(self._waiting) >= MOST_WAITING:
            raise StoreError("too many queries are waiting", "ask again later")
        return await self._request(question)

    async def write(self, segment: Segment, enrich: EnrichRequest) -> Written:
        """Have a segment in the database, enriched; raises StoreError."""
        if self._revision != enrich.revision:
            await self._request(enrich)
            self._revision = enrich.revision
        answer = await self._request(WriteRequest(segment.number, str(segment.path)))
        assert isinstance(answer, Written)
        return answer

    async def keep(self) -> None:
        """Have the process keep the retention as it is now; raises StoreError."""
        await self._request(KeepRequest(self.retention))

    async def tidy(self) -> int:
        """Have frames removed of which no stack is left; returns how many; raises StoreError."""
        return int(await self._request(TidyRequest()))

    async def work(self, work: Work) -> Any:
        """Have the writer do some work; returns what came of it; raises StoreError."""
        return await self._request(WorkRequest(work))

    async def name(self, frames: tuple[FrameRow, ...], version: int) -> None:
        """Have frames of addresses named in the database; raises StoreError."""
        await self._request(NameRequest(frames, version))

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        return self._process.pid if self._process else None

    async def _request(self, request: object) -> Any:
        if not self.is_ready or self._socket is None:
            raise StoreError(self.trouble or _STARTING, "ask again in a few seconds")
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

    async def _run_once(self) -> Ending:
        """Start the process and listen to it until it ends."""
        reader, process = await self._start()
        words = asyncio.create_task(_pass_on(process))
        try:
            with suppress(EOFError, OSError, asyncio.IncompleteReadError):
                await self._listen(reader)
            self.is_ready = False
            code = await asyncio.to_thread(_return_code, process)
            last_line = await asyncio.wait_for(words, _LAST_WORDS_S)
        except asyncio.TimeoutError:  # a child of it, which has its stderr, lives on
            last_line = ""
        finally:
            words.cancel()
        return ending_of(code, last_line)

    async def _start(self) -> tuple[asyncio.StreamReader, subprocess.Popen[bytes]]:
        ours, theirs = socket.socketpair()
        kept = self.retention
        command = [
            *COMMAND,
            *(str(theirs.fileno()), str(self._directory)),
            *map(str, (kept.raw_ms, kept.hour_ms, kept.day_ms)),
            *([ELSEWHERE] if self._url else []),
        ]
        # Its own session: Ctrl-C at the terminal is the collector's.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        reader, self._socket = await asyncio.open_connection(sock=ours)
        if self._url:
            self._socket.write(pack(0, self._url))
        return reader, self._process

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            number, length = HEADER.unpack(await reader.readexactly(HEADER.size))
            answer = pickle.loads(await reader.readexactly(length))
            if not number:
                self._note_standing(answer)
                continue
            future = self._waiting.get(number)
            if future is not None and not future.done():
                future.set_result(answer)

    def _note_standing(self, standing: Away | str) -> None:
        """Take note that the store answers, or that its server is away."""
        before, self.trouble = self.trouble, None
        self.is_ready = not isinstance(standing, Away)
        if isinstance(standing, Away):
            self.trouble = f"{_AWAY}{standing.reason}"
            if before != self.trouble:
                _log.warning("%s", self.trouble)
            return
        self._was_ready = True
        if before and before.startswith(_AWAY):
            _log.warning("the store is back")

    def _end(self) -> None:
        self.is_ready = False
        self._revision = 0
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


async def _pass_on(process: subprocess.Popen[bytes]) -> str:
    """Pass on what a process says on stderr; returns the last line."""
    assert process.stderr is not None
    reader, pipe = asyncio.StreamReader(), process.stderr
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    said = b""
    try:
        while part := await reader.read(_MOST_WORDS):
            sys.stderr.write(part.decode("utf-8", "replace"))
            said = (said + part)[-_MOST_WORDS:]
    finally:
        transport.close()
    lines = said.decode("utf-8", "replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "")


def _return_code(process: subprocess.Popen[bytes]) -> int:
    """Of a process that has closed its socket, and is killed where it does not end."""
    try:
        return process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _cannot_start(ending: Ending) -> CannotStartError:
    error = CannotStartError(f"the store cannot be started: {ending}", ending.hint)
    error.exit_code = ending.exit_code
    return error
