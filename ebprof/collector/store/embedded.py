"""ClickHouse as a library (chdb), on a directory that nobody else has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import chdb

from ebprof.collector.store.connection import Settings


class Embedded:
    """See `Engine`."""

    numbers_blocks = True

    def __init__(self, path: str) -> None:
        self._path = path

    def connect(self, settings: Settings) -> _Connection:
        found = _Connection(chdb.connect(self._path))
        if settings:
            found.run(f"SET {written(settings)}")
        return found

    def fitted(self, statement: str) -> str:
        return statement


class _Connection:
    """See `Connection`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def query(self, sql: str, parameters: Mapping[str, Any]) -> bytes:
        return bytes(self._connection.query(sql, "ArrowStream", params=dict(parameters)).bytes())

    def run(self, statement: str) -> None:
        self._connection.query(statement)

    def insert(self, table: str, columns: Sequence[str], stream: bytes, settings: Settings) -> None:
        statement = f"INSERT INTO {table} ({', '.join(columns)}) SETTINGS {written(settings)}"
        with self._connection.send_insert(statement, "ArrowStream") as inserter:
            inserter.append(stream)
            inserter.finish()

    def close(self) -> None:
        self._connection.close()


def written(settings: Settings) -> str:
    """Settings as SQL has them."""
    return ", ".join(
        f"{name} = '{value}'" if isinstance(value, str) else f"{name} = {value}"
        for name, value in settings.items()
    )
