"""Who talks to whom: `flows`, put together by some keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebprof.collector.flow_keys import COLUMNS, NUMBERS, ROLLED_UP
from ebprof.collector.query import sql
from ebprof.collector.query.plan import Plan, plan, without_days
from ebprof.collector.query.selection import check_patterns
from ebprof.collector.query.selector import Matcher, Selector
from ebprof.collector.query.times import Range, written
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import Asked, BadQuestionError
from ebprof.wire.flows import COUNTS, ERRORS

MOST_ROWS = 50_000
DEFAULT_BY = "service,peer_service"


@dataclass(frozen=True, slots=True)
class FlowsAnswer:
    """covered: the range that was added up. rows: keys as they were asked for, and counts by the
    names of `ebprof traffic --json`; those that moved most bytes first.
    """

    covered: Range
    rows: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class FlowSums:
    """Flows that a selector selects in a range, put together by keys.

    now_ms: when it is asked. retention: of the store, which decides on the tables.
    """

    selector: Selector
    range: Range
    by: tuple[str, ...]
    now_ms: int
    retention: Retention

    def answer(self, database: Asked) -> FlowsAnswer:
        """The sums; raises BadQuestionError, also where there are too many rows to show."""
        columns, found = self.columns(), self.plan()
        bound = {**found.parameters(), **sql.values(self.selector), "most": MOST_ROWS + 1}
        with database.session() as session:
            check_patterns(session, self.selector)
            rows = session.ask(self._sql(found, columns), bound).to_pylist()
        if len(rows) > MOST_ROWS:
            raise BadQuestionError(
                f"there are more than {MOST_ROWS:,} rows",
                "ask by fewer keys, or select fewer flows",
            )
        return FlowsAnswer(found.covered, tuple(self._row(columns, row) for row in rows))

    def columns(self) -> list[str]:
        """The column of each key; raises BadQuestionError."""
        return [_column(name, "key") for name in self.by]

    def conditions(self) -> str:
        """What the selector asks of columns, in SQL; `sql.values` are bound in it."""
        found = [_condition(*one) for one in enumerate(self.selector.matchers)]
        return " AND ".join(found) or "1"

    def plan(self) -> Plan:
        """Which tables to ask; raises BadQuestionError where they are all gone."""
        matched = [_column(name, "label") for name in self.selector.names]
        used = {*self.columns(), *matched}
        since = self.now_ms - self.retention.hour_ms
        if self.range.start_ms < since:
            raise BadQuestionError(
                f"there are no flows before {written(since)}", "ask for later ones"
            )
        return without_days(plan(self.range, self.now_ms, self.retention, sorted(used & ROLLED_UP)))

    def _sql(self, found: Plan, columns: list[str]) -> str:
        keys = list(dict.fromkeys(columns))
        return sql.fill(
            "flows_by_hours" if found.hours else "flows",
            {
                "keys": ", ".join(keys),
                "columns": ", ".join((*keys, *COUNTS)),
                "sums": ", ".join(f"sum(flows.{name}) AS {name}" for name in COUNTS),
                "matching": self.conditions(),
            },
        )

    def _row(self, columns: list[str], row: dict[str, Any]) -> dict[str, Any]:
        return self.keys(columns, row) | _counts(row)

    def keys(self, columns: list[str], row: dict[str, Any]) -> dict[str, Any]:
        """The keys of a row as they were asked for; columns: of them."""
        values = zip(self.by, columns, strict=True)
        return {name: _value(column, row[column]) for name, column in values}


def _column(name: str, what: str) -> str:
    if name not in COLUMNS:
        raise BadQuestionError(
            f"flows have no {what} {name[:64]!r}", f"there are {', '.join(COLUMNS)}"
        )
    return COLUMNS[name]


def _condition(number: int, matcher: Matcher) -> str:
    column = _column(matcher.name, "label")
    text = f"toString({column})" if column in NUMBERS else column
    return sql.condition(number, matcher, text)


def _value(column: str, value: Any) -> Any:
    """Numbers that are not known are null, texts empty."""
    return (value or None) if column in NUMBERS else value


def _counts(row: dict[str, Any]) -> dict[str, Any]:
    errors = {name: row[name] for name in ERRORS if row[name]}
    measured = row["rtt_count"]
    return {
        "tx_bytes": row["tx_bytes"],
        "rx_bytes": row["rx_bytes"],
        "tx_calls": row["tx_calls"],
        "rx_calls": row["rx_calls"],
        "connections": row["connections"],
        "closed": row["closed"],
        "failed_connects": sum(errors.values()),
        "connect_errors": errors,
        "retransmits": row["retransmits"],
        "rtt_us": round(row["rtt_sum"] / measured, 1) if measured > 0 else None,
    }
