"""The process of the store: `python -m ebprof.collector.store.process DESCRIPTOR DIRECTORY ...`.

What follows are milliseconds that samples, and sums of hours and of days, are kept; and ELSEWHERE
where the store is on a server: which one, the first message says, so that nobody else sees it.
It answers requests from a socket until that is closed, and dies with the collector. One thread
writes, some answer questions: what takes long does not keep others waiting.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ebprof.collector.retention import Retention
from ebprof.collector.store.connection import AwayError, Engine
from ebprof.collector.store.database import READERS, Database
from ebprof.collector.store.hashes import hasher_of
from ebprof.collector.store.journal import Journal
from ebprof.collector.store.question import BadQuestionError, StoreError
from ebprof.collector.store.wire import (
    ELSEWHERE,
    READY,
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
    receive,
)
from ebprof.collector.store.writer import Writer
from ebprof.errors import EXIT_FAILURE, EbprofError, reason_of
from ebprof.parent import die_with_parent
from ebprof.signals import ENDING
from ebprof.walls import describe

LOOK_S = 2.0
"""Between looks for a server that is away."""
_LAST = 900
"""A descriptor beyond those of the database: when a process dies they are closed in their order."""
_log = logging.getLogger(__name__)


class Server:
    """Takes requests from a connection and sends answers, each when it is known."""

    def __init__(self, connection: socket.socket, database: Database, writer: Writer) -> None:
        self._connection = connection
        self._database = database
        self._writer = writer
        self._sending = threading.Lock()
        self._noting = threading.Lock()
        self._is_away = False
        self._writing = ThreadPoolExecutor(1, "writer")
        self._asking = ThreadPoolExecutor(READERS, "question")
        self._of_writer: dict[type, Callable[[Any], Any]] = {
            EnrichRequest: self._enrich,
            KeepRequest: self._keep,
            NameRequest: self._name,
            TidyRequest: self._tidy,
            WorkRequest: self._work,
            WriteRequest: self._write,
        }

    def serve(self) -> None:
        """Answer until the other end is closed."""
        self._send(0, READY)
        while True:
            try:
                number, request = receive(self._connection)
            except (EOFError, OSError):
                return
            if function := self._of_writer.get(type(request)):
                self._writing.submit(self._answer, number, function, request)
            else:
                self._asking.submit(self._answer, number, self._ask, request)

    def _write(self, request: WriteRequest) -> Written:
        return self._writer.write(request.number, Path(request.path))

    def _keep(self, request: KeepRequest) -> None:
        self._database.keep(request.retention)

    def _enrich(self, request: EnrichRequest) -> None:
        self._writer.enrich(request)

    def _name(self, request: NameRequest) -> None:
        self._writer.name(request.frames, request.version)

    def _tidy(self, _: TidyRequest) -> int:
        return self._writer.tidy()

    def _work(self, request: WorkRequest) -> Any:
        return request.work.work(self._database)

    def _ask(self, question: Any) -> Any:
        return question.answer(self._database)

    def _answer(self, number: int, function: Callable[[Any], Any], request: Any) -> None:
        try:
            answer = function(request)
        except EbprofError as error:
            if isinstance(error, AwayError):
                self._note_away(error)
            is_question = isinstance(error, BadQuestionError)
            answer = Failure(error.message, error.hint, is_question)
        except OSError as error:  # of the segment or the journal, as where the disk is full
            answer = Failure(f"the store's files cannot be used: {reason_of(error)}", "", False)
        except Exception as error:
            _log.exception("cannot answer %s", type(request).__name__)
            answer = Failure(f"the store failed: {describe(error)}", "", False)
        self._send(number, answer)

    def _note_away(self, error: AwayError) -> None:
        """Tell the collector that the server is away, and when it is back."""
        with self._noting:
            if self._is_away:
                return
            self._is_away = True
        self._send(0, Away(error.message))
        threading.Thread(target=self._look_for_it, name="looks", daemon=True).start()

    def _look_for_it(self) -> None:
        while self._is_away:
            time.sleep(LOOK_S)
            with suppress(StoreError):
                self._database.look()
                self._is_away = False
        self._send(0, READY)

    def _send(self, number: int, answer: Any) -> None:
        with self._sending:
            self._connection.sendall(pack(number, answer))


@contextmanager
def _saying_why() -> Iterator[None]:
    """End with a line on stderr where the store cannot be opened: the collector shows the last."""
    try:
        yield
    except (EbprofError, OSError, RuntimeError) as error:
        _log.error("cannot open the store: %s", describe(error))
        os._exit(EXIT_FAILURE)


def _engine(directory: Path, connection: socket.socket | None) -> Engine:
    """A server, which the connection says, or without one the library."""
    if connection is not None:
        from ebprof.collector.store.remote import Remote

        return Remote(receive(connection)[1])
    from ebprof.collector.store.embedded import Embedded

    directory.mkdir(parents=True, exist_ok=True)
    return Embedded(str(directory))


def _opened(engine: Engine, retention: Retention, connection: socket.socket) -> Database:
    """The database, as soon as it answers; raises StoreError."""
    while True:
        try:
            return Database(engine, retention)
        except AwayError as error:
            connection.sendall(pack(0, Away(error.message)))
        time.sleep(LOOK_S)


def main(arguments: list[str]) -> None:
    """See the module's description."""
    descriptor, directory = int(arguments[0]), Path(arguments[1])
    retention = Retention(*map(int, arguments[2:5]))
    die_with_parent(signal.SIGKILL)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # the collector ends us when it is done
    connection = socket.socket(fileno=descriptor)
    with _saying_why(), (directory.parent / "store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the process before us may not be dead yet
        fcntl.fcntl(lock, fcntl.F_DUPFD, _LAST)  # and gives the database's own lock back before
        engine = _engine(directory, connection if ELSEWHERE in arguments else None)
        database = _opened(engine, retention, connection)
        hasher = hasher_of(directory.parent / "key")
        writer = Writer(database, Journal(directory.parent / "journal"), hasher)
        Server(connection, database, writer).serve()
        os._exit(0)  # what is written is on disk: nothing is left to be done, whoever still asks


if __name__ == "__main__":
    logging.basicConfig(format="ebprof store: %(message)s")
    main(sys.argv[1:])
