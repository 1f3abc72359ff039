"""What is needed of a connection to ClickHouse, be it a library here or a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ebprof.collector.store.question import StoreError

Settings = Mapping[str, int | str]


class AwayError(StoreError):
    """The server does not answer, or does not let us in: both may change later."""


class Connection(Protocol):
    """For one thread at a time. An error of ClickHouse is an exception with its words, like
    `Code: 60. DB::Exception: …`; a server that does not answer is an AwayError.
    """

    def query(self, sql: str, parameters: Mapping[str, Any]) -> bytes:
        """The rows that a query gives, as a stream of Arrow; empty where there are none."""

    def run(self, statement: str) -> None:
        """Run a statement that gives no rows."""

    def insert(self, table: str, columns: Sequence[str], stream: bytes, settings: Settings) -> None:
        """Add rows, a stream of Arrow."""

    def close(self) -> None:
        """End it: nothing can be asked of it any more."""


class Engine(Protocol):
    """Where a database is.

    numbers_blocks: whether this process alone inserts there, so that numbers of blocks tell what
    was inserted.
    """

    numbers_blocks: bool

    def connect(self, settings: Settings) -> Connection:
        """A connection with some settings; raises AwayError."""

    def fitted(self, statement: str) -> str:
        """A statement that makes or changes tables, as it is said there."""
