"""Stores of earlier versions, brought up to date: `python -m tests.migrated DIRECTORY [broken]`.

Prints a line for each thing that is not as it should be afterwards. It is a process of its own, as
chdb is never imported into that of tests. All versions are databases of one store: to open another
one each time takes many times longer.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ebprof.collector.store.connection import Connection, Settings
from ebprof.collector.store.database import Database, migrations, statements
from ebprof.collector.store.embedded import Embedded
from tests.stored import FOREVER

ROWS = 40
SUMS = {"services_1h": "samples_1h", "services_1d": "samples_1d", "totals_1h": "services_1h"}
"""Tables that a migration fills, and what they have the sums of."""
_LISTED_BY = 3
"""The migration that lists addresses of frames."""
_VALUES = {
    "ts": "toDateTime('2026-01-01 00:00:00', 'UTC') + rand() % 200000",
    "day": "toDate('2026-01-01') + rand() % 20",
    "value": "rand()",
}
"""Of columns that are not filled with just anything: times may not be too many partitions."""
_TABLES = (
    "SELECT table, groupArray(name) AS names, groupArray(type) AS types FROM system.columns"
    " WHERE database = currentDatabase() AND table != 'migrations' GROUP BY table ORDER BY table"
)

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Contents:
    """Columns of a table, and hashes of its distinct rows, sorted."""

    names: list[str]
    hashes: list[int]


class Shared(Embedded):
    """The same connection for all who ask for one."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._connection = super().connect({})

    def connect(self, settings: Settings) -> Any:
        return self._connection


def make(store: Connection, number: int, broken_off: int = 0) -> dict[str, Contents]:
    """A database as it was after the migration of a number, with random rows; returns these.

    broken_off: after so many statements of the next migration.
    """
    store.run(f"CREATE DATABASE v{number}_{broken_off}")
    store.run(f"USE v{number}_{broken_off}")
    store.run("CREATE TABLE migrations (number UInt32) ENGINE = MergeTree ORDER BY number")
    for done, text in migrations()[:number]:
        for statement in statements(text):
            store.run(statement)
        store.run(f"INSERT INTO migrations VALUES ({done})")
    found = {}
    for row in _ask(store, _TABLES):
        _fill(store, **row)
        found[row["table"]] = _contents(store, row["table"], row["names"])
    for statement in statements(migrations()[number][1])[:broken_off]:
        store.run(statement)
    return found


def problems(store: Connection, number: int, before: dict[str, Contents]) -> list[str]:
    """What is wrong with a database that has been brought up to date."""
    tables = {row["table"]: row["names"] for row in _ask(store, _TABLES)}
    found = [
        f"{table} has other rows than before"
        for table, contents in before.items()
        if table in tables and _contents(store, table, contents.names) != contents
    ]
    for table, source in SUMS.items():
        if table not in before and _sums(store, table) != _sums(store, source):
            found.append(f"{table} has not the sums of {source}")
    if number < _LISTED_BY:
        columns = "build_id, address, frame_id"
        (left,) = _ask(
            store,
            f"SELECT count() AS count FROM (SELECT {columns} FROM frames WHERE build_id != ''"
            f" AND address != 0 EXCEPT SELECT {columns} FROM file_addresses)",
        )
        found += ["addresses are not listed"] if left["count"] else []
    (last,) = _ask(store, "SELECT max(number) AS number FROM migrations")
    if last["number"] != migrations()[-1][0]:
        found.append(f"it is of version {last['number']}")
    return found


def main(directory: str, is_broken: bool) -> None:
    """Every second of the earlier versions; is_broken: all of them, and broken off after each
    statement of the next one.
    """
    engine = Shared(directory)
    store = engine.connect({})
    every, made = migrations(), 0
    for number in range(len(every) - 1, 0, -1 if is_broken else -2):
        _, text = every[number]
        for broken_off in range(len(statements(text)) + 1 if is_broken else 1):
            before = make(store, number, broken_off)
            Database(engine, FOREVER)
            for problem in problems(store, number, before):
                print(f"version {number}, {broken_off} statements of the next: {problem}")
            made += 1
    print(f"{made} stores of {len(every)} versions")


def _fill(store: Connection, table: str, names: list[str], types: list[str]) -> None:
    pairs = [*zip(names, types, strict=True)]
    columns = ", ".join(
        f"CAST({_VALUES[name]}, {_quoted(kind)})" if name in _VALUES else name
        for name, kind in pairs
    )
    structure = _quoted(", ".join(f"{name} {kind}" for name, kind in pairs))
    store.run(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {columns}"
        f" FROM generateRandom({structure}, 7, 8, 3) LIMIT {ROWS}"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("'", "\\'")
    return f"'{escaped}'"


def _contents(store: Connection, table: str, names: list[str]) -> Contents:
    texts = ", ".join(f"toString({name})" for name in names)
    rows = _ask(store, f"SELECT DISTINCT cityHash64({texts}) AS hash FROM {table} ORDER BY hash")
    return Contents(names, [row["hash"] for row in rows])


def _sums(store: Connection, table: str) -> Rows:
    return _ask(
        store,
        f"SELECT ts, hex(type) AS type, hex(service) AS service, sum(value) AS value FROM {table}"
        " GROUP BY ts, type, service ORDER BY ts, type, service",
    )


def _ask(store: Connection, sql: str) -> Rows:
    data = store.query(sql, {})
    return list(pa.ipc.open_stream(data).read_all().to_pylist()) if data else []


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] == ["broken"])
