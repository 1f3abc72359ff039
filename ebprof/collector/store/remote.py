"""ClickHouse on a server, or a cluster of these, by HTTP (clickhouse-connect)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError

from ebprof.collector.store.cluster import replicated
from ebprof.collector.store.connection import AwayError, Settings
from ebprof.collector.store.question import StoreError
from ebprof.collector.store.url import StoreUrl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

CONNECT_S, ANSWER_S = 5, 90
"""The second is longer than a query may take, and than an INSERT takes."""
_NO_DATABASE = 81
_NOT_LET_IN = (192, 193, 194, 516)
_UNABLE = (225, 242, 999)
"""No Keeper, read only for the want of one, and its errors."""


for _name in ("clickhouse_connect", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # what they would say, our errors say


class Remote:
    """See `Engine`. Several collectors may insert, so that only tokens tell what was inserted."""

    numbers_blocks = False

    def __init__(self, url: StoreUrl) -> None:
        self._url = url

    def connect(self, settings: Settings) -> _Connection:
        with _naming(self._url):
            try:
                return self._connection(settings)
            except DatabaseError as error:
                if error.code == _NO_DATABASE:
                    return self._new_database(settings)
                if error.code is None or error.code in (*_NOT_LET_IN, *_UNABLE):
                    raise
                raise StoreError(f"{self._url} refuses: {error}") from None

    def fitted(self, statement: str) -> str:
        return replicated(statement, self._url.cluster) if self._url.cluster else statement

    def _new_database(self, settings: Settings) -> _Connection:
        name = self._url.database
        try:
            with self._client("default", {}) as client:
                client.command(self.fitted(f"CREATE DATABASE IF NOT EXISTS {name}"))
            return self._connection(settings)
        except DatabaseError as error:
            raise StoreError(f"{self._url} has no database {name}: {error}") from None

    def _connection(self, settings: Settings) -> _Connection:
        return _Connection(self._client(self._url.database, settings), self._url)

    def _client(self, database: str, settings: Settings) -> Client:
        url, tls = self._url, self._url.tls
        return clickhouse_connect.get_client(
            host=url.host,
            port=url.port,
            username=url.user,
            password=url.password,
            database=database,
            secure=url.is_secure,
            ca_cert=str(tls.ca) if tls.ca else None,
            client_cert=str(tls.cert) if tls.cert else None,
            client_cert_key=str(tls.key) if tls.key else None,
            tls_mode="strict" if tls.cert else None,
            connect_timeout=CONNECT_S,
            send_receive_timeout=ANSWER_S,
            query_retries=0,
            client_name="ebprof",
            settings=dict(settings),
            dedicated_pool=not url.is_secure,
        )


class _Connection:
    """See `Connection`: a session of the server's, with its temporary tables."""

    def __init__(self, client: Client, url: StoreUrl) -> None:
        self._client = client
        self._url = url

    def query(self, sql: str, parameters: Mapping[str, Any]) -> bytes:
        with _naming(self._url):
            return bytes(self._client.raw_query(sql, dict(parameters), fmt="ArrowStream"))

    def run(self, statement: str) -> None:
        with _naming(self._url):
            self._client.command(statement)

    def insert(self, table: str, columns: Sequence[str], stream: bytes, settings: Settings) -> None:
        with _naming(self._url):
            self._client.raw_insert(table, columns, stream, dict(settings), fmt="ArrowStream")

    def close(self) -> None:
        self._client.close()


@contextmanager
def _naming(url: StoreUrl) -> Iterator[None]:
    """Name the server that does not answer; what it says of a statement stays as it is."""
    try:
        yield
    except DatabaseError as error:
        if error.code in _NOT_LET_IN:
            raise AwayError(f"{url} does not let {url.user} in", "look at --store") from None
        if error.code in _UNABLE:
            raise AwayError(f"{url} cannot do its work: {error.name}") from None
        if error.code is None:
            raise AwayError(f"no answer from {url}: {_reason(error)}") from None
        raise
    except OSError as error:
        raise AwayError(f"no answer from {url}: {error}") from None


def _reason(error: Exception) -> str:
    """The innermost words of a chain of errors of urllib3."""
    cause = error
    while (deeper := getattr(cause, "reason", None) or cause.__cause__) is not None:
        if not isinstance(deeper, Exception):
            break
        cause = deeper
    return str(cause).rpartition(">: ")[2].rpartition(": ")[2][:200] or type(cause).__name__
