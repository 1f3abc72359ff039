"""What the store has: how much in which tables, since when, and whether sums are sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebprof.collector.query import sql
from ebprof.collector.query.plan import HOUR_MS
from ebprof.collector.retention import DAY_MS
from ebprof.collector.store.question import Asked, Kept, Session

SUMS_OF = ("samples_1h", "services_1h", "totals_1h", "samples_1d", "services_1d")


@dataclass(frozen=True, slots=True)
class Table:
    """rows, bytes: on disk. oldest_ms: of its rows, 0 where its partitions are not of times."""

    name: str
    rows: int
    bytes: int
    oldest_ms: int


@dataclass(frozen=True, slots=True)
class Node:
    """Of the last hour. last_ms: when the last window that arrived begins, by the node's clock."""

    name: str
    last_ms: int
    missing_windows: int
    spool_bytes: int


@dataclass(frozen=True, slots=True)
class Stock:
    """The answer of an Inventory. version: of the tables, the last migration that they had."""

    version: int
    tables: tuple[Table, ...] = ()
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """A question. now_ms: of the collector's clock."""

    now_ms: int

    def answer(self, database: Asked) -> Stock:
        """Look."""
        bound = {"from": self.now_ms - HOUR_MS, "to": self.now_ms + DAY_MS}
        with database.session() as session:
            (version,) = _rows(session, "SELECT max(number) AS last FROM migrations")
            tables = _rows(session, sql.load("sizes"))
            nodes = _rows(session, sql.load("agents"), bound)
        return Stock(
            version["last"],
            tuple(Table(**row) for row in tables),
            tuple(
                Node(row["node"], row["last_push_ms"], row["missing_windows"], row["spool_bytes"])
                for row in nodes
            ),
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """What a table has of a type on a day (of UTC), and what samples have."""

    table: str
    type: str
    day: str
    value: int
    samples: int

    def __str__(self) -> str:
        return (
            f"{self.table} has {self.value:,} of {self.type} on {self.day},"
            f" and samples have {self.samples:,}"
        )


@dataclass(frozen=True, slots=True)
class Books:
    """Work for the writer, so that nothing is added meanwhile: are sums what samples add up to?

    since_ms: of the days that are looked at, all of whose samples are still there.
    """

    since_ms: int

    def work(self, database: Kept) -> list[Difference]:
        """Differences, by table; none where the books balance."""
        first_day = -(-self.since_ms // DAY_MS)
        found: list[Difference] = []
        with database.session() as session:
            samples = _sums(session, "samples", first_day)
            for table in SUMS_OF:
                sums = _sums(session, table, first_day)
                for key in sorted(set(samples) | set(sums)):
                    value, expected = sums.get(key, 0), samples.get(key, 0)
                    if value != expected:
                        found.append(Difference(table, *key, value, expected))
        return found


def _sums(session: Session, table: str, first_day: int) -> dict[tuple[str, str], int]:
    """By type and day."""
    rows = _rows(session, sql.fill("day_sums", {"table": table}), {"first_day": first_day})
    return {(row["type"], row["day"]): row["value"] for row in rows}


def _rows(
    session: Session, text: str, parameters: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.ask(text, parameters).to_pylist()
    return found
