"""The store's process, asked by tests: chdb is never imported into theirs."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ebprof.collector.store
from ebprof.collector.receive import records
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.question import Asked
from ebprof.collector.store.wire import Failure, WriteRequest, Written, pack, receive
from tests import targets
from tests.forked import Forked

SUMMED = ("samples", "samples_1h", "samples_1d", "services_1h", "services_1d", "totals_1h")
"""Tables of which each has all values once."""
STORE = Path(ebprof.collector.store.__file__).parent
EMPTY = targets.BUILT.with_name("stores")
_END_S = 60
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

    def end(self) -> None:
        """Have it end by itself, with all that it has written."""
        self._connection.close()
        assert self.process.wait(_END_S) == 0

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


def begin(directory: Path, retention: Retention) -> None:
    """Copy a store in which nothing is, where there is none: to make its tables costs more."""
    to = directory / "store"
    if not to.exists():
        directory.mkdir(exist_ok=True)
        copy(_empty(retention), to)


def copy(directory: Path, to: Path) -> None:
    """Copy what is in a directory to which no process writes."""
    subprocess.run(["cp", "-aT", directory, to], check=True)


@cache
def _empty(retention: Retention) -> Path:
    """A store that a process made, once for all that ask."""
    place = EMPTY / _fingerprint(retention)
    with targets.locked(place):
        if not (place / "store").exists():
            unfinished = place / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            with store(unfinished, retention, is_new=True) as one:
                one.end()
            (unfinished / "store").rename(place / "store")
    return place / "store"


def _fingerprint(retention: Retention) -> str:
    """Of all that says what is in an empty store."""
    found = hashlib.sha256(f"{version('chdb-core')} {retention}".encode())
    for path in sorted(
        [*STORE.glob("migrations/*.sql"), STORE / "database.py", STORE / "embedded.py"]
    ):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


@contextmanager
def store(
    directory: Path, retention: Retention = FOREVER, *, is_new: bool = False
) -> Iterator[Store]:
    """A process of the store on a directory, until the end.

    Where there is none it begins with one that is empty; is_new: it makes that itself.
    """
    if not is_new:
        begin(directory, retention)
    ours, theirs = socket.socketpair()
    process = Forked(
        "ebprof.collector.store.process",
        *(theirs.fileno(), directory / "store"),
        *(retention.raw_ms, retention.hour_ms, retention.day_ms),
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
