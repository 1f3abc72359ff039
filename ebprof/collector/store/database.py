"""The database: ClickHouse, as a library (`embedded.py`) or on a server (`remote.py`)."""

from __future__ import annotations

import queue
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pyarrow as pa

from ebprof.collector.retention import Retention
from ebprof.collector.store.connection import AwayError, Connection, Engine, Settings
from ebprof.collector.store.question import BadQuestionError, StoreError

READERS = 3
_LIMITS = {
    "max_execution_time": 60,
    "max_memory_usage": 4 << 30,
    "max_result_bytes": 1 << 30,
    "max_threads": 2,
}
# One block of each INSERT for a partition: it is there as a whole, or not at all.
_ONE_BLOCK: Settings = {
    "max_insert_block_size": 1 << 40,
    "min_insert_block_size_rows": 1 << 40,
    "min_insert_block_size_bytes": 1 << 50,
    "max_insert_threads": 1,
    "async_insert": 0,
    # Rows of an INSERT are added up already: to look for equal ones once more takes a third of it.
    "optimize_on_insert": 0,
}
_TIMES = dict.fromkeys(("samples", "flows"), "toDateTime(ts)") | dict.fromkeys(
    ("stacks", "series", "flow_labels"), "day"
)
"""By which tables are dropped in which `ts` is no DateTime."""
SUMMED = (
    *("samples", "samples_1h", "samples_1d", "services_1h", "services_1d", "totals_1h"),
    *("flows", "flows_1h"),
)
"""Tables that get each row once."""
_TOKENS = {
    "non_replicated_deduplication_window": 10_000,
    "replicated_deduplication_window": 10_000,
    "replicated_deduplication_window_seconds": 7 * 24 * 3600,
}
"""How many tokens a table knows: an INSERT is tried again as soon as the server answers."""
TIDY_SHARE = 8
"""One row of so many may be of a frame that no stack has."""
_UNUSED = "frame_id NOT IN (SELECT arrayJoin(frame_ids) FROM stacks)"
_TIDYING = f"SETTINGS mutations_sync = 1, max_memory_usage = {4 << 30}, max_threads = 1"
_CODE = re.compile(r"Code: (\d+)\. DB::Exception: (.*?)(?:: In scope|: While|\. \(|\(version|$)")
_CANNOT_COMPILE_REGEXP = 427
_TOO_MUCH = {159: "it takes longer than a minute", 241: "it needs too much memory"}
_TOO_MUCH[396] = "its result is too large"


class Database:
    """One connection to write, and some to ask. May be asked from several threads."""

    def __init__(self, engine: Engine, retention: Retention) -> None:
        """Raises AwayError, StoreError."""
        self._engine = engine
        self._writer: Connection = engine.connect({})
        self._migrate()
        self.keep(retention)
        self._readers: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        for _ in range(READERS):
            self._readers.put(engine.connect(_LIMITS))

    def look(self) -> None:
        """Raise AwayError where it does not answer."""
        self._engine.connect({}).close()

    def insert(self, table: str, rows: pa.Table, token: str = "") -> None:
        """Add rows, one block for each partition, on disk when this returns; raises StoreError.

        token: of these rows, where blocks have no numbers: if the table had it lately, they are not
        added again.
        """
        settings: dict[str, int | str] = dict(_ONE_BLOCK)
        if token and not self._engine.numbers_blocks:
            settings |= {"insert_deduplicate": 1, "insert_deduplication_token": token}
        else:
            settings["insert_deduplicate"] = 0
        try:
            self._writer.insert(table, rows.column_names, _stream(rows), settings)
        except AwayError:
            raise
        except Exception as error:  # chdb raises several kinds
            raise StoreError(f"cannot write to the store: {_reason(error)[1]}") from None

    def blocks(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """The number of the last block in each partition of some tables, by table.

        Nothing where others insert as well: there tokens tell what was inserted.
        """
        if not self._engine.numbers_blocks:
            return {}
        sql = (
            "SELECT table, partition, max(max_block_number) AS last FROM system.parts"
            " WHERE active AND database = currentDatabase()"
            " AND has(splitByChar(',', {names:String}), table)"
            " GROUP BY table, partition"
        )
        found: dict[str, dict[str, int]] = {}
        for row in _Session(self._writer).ask(sql, {"names": ",".join(names)}).to_pylist():
            found.setdefault(row["table"], {})[row["partition"]] = row["last"]
        return found

    def run(self, statement: str) -> None:
        """Run a statement that gives no rows, on the connection that writes."""
        try:
            self._writer.run(self._engine.fitted(statement))
        except AwayError:
            raise
        except Exception as error:
            raise StoreError(f"the store refuses {statement[:80]!r}: {_reason(error)[1]}") from None

    @contextmanager
    def session(self) -> Iterator[_Session]:
        """A connection to ask, which waits for one that is free."""
        session = _Session(self._readers.get())
        try:
            yield session
        finally:
            session.drop_kept()
            self._readers.put(session.connection)

    def keep(self, retention: Retention) -> None:
        """Have rows dropped by the database when they are too old; raises StoreError."""
        definitions = self._definitions()
        for table, length_ms in retention.lengths().items():
            column = _TIMES.get(table, "ts")
            ttl = f"TTL {column} + toIntervalSecond({length_ms // 1000})"
            if ttl not in definitions[table]:
                self.run(f"ALTER TABLE {table} MODIFY {ttl}")
            if not self._engine.numbers_blocks and table in SUMMED:
                self._know_tokens(table, definitions[table])

    def tidy(self) -> int:
        """Remove frames of which no stack is left, where they are many; raises StoreError.

        Their addresses go first: an address without a row is looked up again when it comes again,
        one whose frame is gone would not be. Returns how many frames were removed.
        """
        counted = f"countIf({_UNUSED}) AS unused, count() AS rows"
        writer, removed = _Session(self._writer), 0
        for table in ("file_addresses", "frames"):
            (found,) = writer.ask(f"SELECT {counted} FROM {table} {_TIDYING}").to_pylist()
            removed = found["unused"] if found["unused"] * TIDY_SHARE > found["rows"] else 0
            if removed:
                self.run(f"ALTER TABLE {table} DELETE WHERE {_UNUSED} {_TIDYING}")
        return removed

    def close(self) -> None:
        """Close all connections."""
        while not self._readers.empty():
            self._readers.get().close()
        self._writer.close()

    def _migrate(self) -> None:
        self.run(
            "CREATE TABLE IF NOT EXISTS migrations (number UInt32)"
            " ENGINE = MergeTree ORDER BY number SETTINGS fsync_after_insert = 1"
        )
        writer = _Session(self._writer)
        (done,) = writer.ask("SELECT max(number) AS last FROM migrations").to_pylist()
        known = migrations()
        if done["last"] > known[-1][0]:
            raise StoreError("the store was written by a newer ebprof", "use that one")
        for number, text in known:
            if number > done["last"]:
                for statement in statements(text):
                    self.run(statement)
                self.run(f"INSERT INTO migrations VALUES ({number})")

    def _know_tokens(self, table: str, definition: str) -> None:
        for name, value in _TOKENS.items():
            is_other = name.startswith("replicated") and "ENGINE = Replicated" not in definition
            if not is_other and f"{name} = {value}" not in definition:
                self.run(f"ALTER TABLE {table} MODIFY SETTING {name} = {value}")

    def _definitions(self) -> dict[str, str]:
        """What made each table, as it is now."""
        sql = (
            "SELECT name, create_table_query AS text FROM system.tables"
            " WHERE database = currentDatabase()"
        )
        rows = _Session(self._writer).ask(sql).to_pylist()
        return {row["name"]: row["text"] for row in rows}


class _Session:
    """See `Session`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._kept: set[str] = set()

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        data = _run(self.connection, sql, parameters)
        return pa.ipc.open_stream(data).read_all() if data else pa.table({})

    def keep(self, name: str, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        self._kept.add(name)  # the table is there as well where the query that fills it fails
        _run(self.connection, f"CREATE TEMPORARY TABLE {name} ENGINE = Memory AS {sql}", parameters)

    def drop_kept(self) -> None:
        for name in self._kept:
            _run(self.connection, f"DROP TEMPORARY TABLE IF EXISTS {name}")


def migrations() -> list[tuple[int, str]]:
    """Numbers and texts of all migrations, in order."""
    found = files("ebprof.collector.store").joinpath("migrations").iterdir()
    named = sorted((one.name, one.read_text("utf-8")) for one in found if one.name[:4].isdigit())
    return [(int(name[:4]), text) for name, text in named]


def statements(text: str) -> list[str]:
    """Statements of a .sql file, each of which ends in a semicolon at the end of a line."""
    return [one.strip() for one in re.split(r";\s*$", text, flags=re.MULTILINE) if one.strip()]


def _run(connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None) -> bytes:
    try:
        return connection.query(sql, parameters or {})
    except AwayError:
        raise
    except Exception as error:
        code, reason = _reason(error)
        if code == _CANNOT_COMPILE_REGEXP:
            raise BadQuestionError(
                f"a selector's pattern is no RE2 expression: {_of_pattern(reason)}",
                "see https://github.com/google/re2/wiki/Syntax",
            ) from None
        if code in _TOO_MUCH:
            hint = "ask for a shorter range or fewer series"
            raise BadQuestionError(f"the query is too large: {_TOO_MUCH[code]}", hint) from None
        raise StoreError(f"the store cannot answer: {reason}") from None


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows.combine_chunks(), max_chunksize=max(1, len(rows)))
    return bytes(sink.getvalue())


def _of_pattern(reason: str) -> str:
    """What RE2 says of a pattern, which our own characters stand around."""
    return reason.partition("error: ")[2].partition(": ^(?s:")[0] or reason


def _reason(error: Exception) -> tuple[int, str]:
    """ClickHouse's code and message of an error."""
    match = _CODE.search(str(error).replace("\n", " "))
    return (int(match[1]), match[2][:300]) if match else (0, str(error)[:300])
