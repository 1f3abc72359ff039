"""What the store can be asked, as it crosses into its process."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from ebprof.errors import EbprofError

if TYPE_CHECKING:
    import pyarrow as pa


class BadQuestionError(EbprofError):
    """A question that cannot be answered as it was asked: message and hint say why."""


class StoreError(EbprofError):
    """The store cannot answer now."""


class Session(Protocol):
    """A connection to the database, which keeps tables of its own until it is given back."""

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The rows that a query gives; raises BadQuestionError, StoreError."""

    def keep(self, name: str, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Keep the rows that a query gives as a temporary table; raises the same."""


class Asked(Protocol):
    """The database, for those who ask."""

    def session(self) -> AbstractContextManager[Session]:
        """Have a connection for the time of a `with`."""


class Kept(Asked, Protocol):
    """The database, for those who add to it."""

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        """Add rows: one block for each partition; raises StoreError. token: of what is inserted
        once, however often it is tried.
        """


class Work(Protocol):
    """Like a question, but done by the writer, between two segments."""

    def work(self, database: Kept) -> Any:
        """Do it; returns what came of it, which can be pickled. Raises StoreError."""


class Question(Protocol):
    """Anything that can be pickled and knows how to find its answer, which can be pickled too."""

    def answer(self, database: Asked) -> Any:
        """Look the answer up; raises BadQuestionError."""
