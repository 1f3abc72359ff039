"""The store's process, asked by tests: chdb is never imported into theirs."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ebprof.collector.receive import records
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.question import Asked
from ebprof.collector.store.wire import Failure, WriteRequest, Written, pack, receive

SUMMED = ("samples", "samples_1h", "samples_1d", "services_1h", "services_1d", "totals_1h")
"""Tables of which each has all values once."""
FOREVER = Retention(*[10_000 * DAY_MS] * 3)


@dataclass(frozen=True)
class Sql:
    """A question: its answer is a list of rows, each a dictionary. keep: the name of a temporary
    table that they are kept in instead.
    """

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    keep: str = ""

    def answer(self, database: Asked) -> list[dict[str, Any]]:
        with database.session() as session:
            if self.keep:
                session.keep(self.keep, self.sql, self.parameters)
                return []
            return list(session.ask(self.sql, self.parameters).to_pylist())


class Store:
    """Our end of the socket."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self.process = process
        self._connection = connection
        self._number = 0

    def request(self, question: object) -> Any:
        """Its answer, or a Failure."""
        self._number += 1
        self._connection.sendall(pack(self._number, question))
        number, answer = receive(self._connection)
        assert number == self._number
        return answer

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        answer = self.request(Sql(sql, parameters))
        assert not isinstance(answer, Failure), answer
        return [tuple(row.values()) for row in answer]

    def write(self, path: Path, *messages: Any, number: int = 1, received_ns: int = 0) -> Written:
        """Write pushes as a segment of the log."""
        bodies = (message.SerializeToString() for message in messages)
        framed = (records.frame(records.Record(received_ns, body)) for body in bodies)
        path.write_bytes(b"".join(framed))
        answer = self.request(WriteRequest(number, str(path)))
        assert isinstance(answer, Written), answer
        return answer


@contextmanager
def store(directory: Path, retention: Retention = FOREVER) -> Iterator[Store]:
    """A process of the store on a directory, until the end."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "ebprof.collector.store.process"]
    process = subprocess.Popen(
        [
            *(*command, str(theirs.fileno()), str(directory / "store")),
            *map(str, (retention.raw_ms, retention.hour_ms, retention.day_ms)),
        ],
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    try:
        assert receive(ours) == (0, "ready")
        yield Store(process, ours)
    finally:
        ours.close()
        process.kill()
        process.wait()
