"""Who talks to whom: `flows`, put together by some keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebprof.collector.flow_keys import COLUMNS, NUMBERS, PEER_SERVICE, ROLLED_UP
from ebprof.collector.query import sql
from ebprof.collector.query.plan import Plan, plan, without_days
from ebprof.collector.query.selection import check_patterns
from ebprof.collector.query.selector import Matcher, Selector
from ebprof.collector.query.times import Range, written
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import Asked, BadQuestionError, Session
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
        found = self.plan()
        bound = {**found.parameters(), **self.bound(), "most": MOST_ROWS + 1}
        with database.session() as session:
            self.check(session)
            rows = session.ask(self._sql(found), bound).to_pylist()
        if len(rows) > MOST_ROWS:
            raise BadQuestionError(
                f"there are more than {MOST_ROWS:,} rows",
                "ask by fewer keys, or select fewer flows",
            )
        return FlowsAnswer(found.covered, tuple(self.keys(row) | _counts(row) for row in rows))

    def columns(self) -> list[str]:
        """What each key is called in SQL."""
        return [_column(name) or f"key_{number}" for number, name in enumerate(self.by)]

    def selected(self) -> list[str]:
        """The same, as it is read of a row of flows: a label by its name, which is bound."""
        names = enumerate(self.by)
        found = (_column(one) or f"{_read(one, f'key_{at}')} AS key_{at}" for at, one in names)
        return list(dict.fromkeys(found))

    def conditions(self) -> str:
        """What the selector asks of columns and labels, in SQL."""
        found = [_condition(*one) for one in enumerate(self.selector.matchers)]
        return " AND ".join(found) or "1"

    def bound(self) -> dict[str, str]:
        """What is bound in what is selected, and in conditions."""
        keys = {f"key_{number}": name for number, name in enumerate(self.by)}
        names = {f"name_{number}": one.name for number, one in enumerate(self.selector.matchers)}
        return keys | names | sql.values(self.selector)

    def check(self, session: Session) -> None:
        """Raise BadQuestionError for a key or label that no flow ever had, and for bad patterns."""
        for what, names in (("key", self.by), ("label", self.selector.names)):
            others = [name for name in names if name not in COLUMNS]
            labels = flow_labels(session) if others else []
            for name in others:
                if name not in labels:
                    raise BadQuestionError(
                        f"flows have no {what} {name[:64]!r}",
                        f"there are {', '.join((*COLUMNS, *labels))}",
                    )
        check_patterns(session, self.selector)

    def plan(self) -> Plan:
        """Which tables to ask; raises BadQuestionError where they are all gone."""
        used = {COLUMNS.get(name, name) for name in (*self.by, *self.selector.names)}
        since = self.now_ms - self.retention.hour_ms
        if self.range.start_ms < since:
            raise BadQuestionError(
                f"there are no flows before {written(since)}", "ask for later ones"
            )
        return without_days(plan(self.range, self.now_ms, self.retention, sorted(used & ROLLED_UP)))

    def _sql(self, found: Plan) -> str:
        return sql.fill(
            "flows_by_hours" if found.hours else "flows",
            {
                "keys": ", ".join(dict.fromkeys(self.columns())),
                "selected": ", ".join(self.selected()),
                "columns": ", ".join((*self.selected(), *COUNTS)),
                "sums": ", ".join(f"sum(flows.{name}) AS {name}" for name in COUNTS),
                "matching": self.conditions(),
            },
        )

    def keys(self, row: dict[str, Any]) -> dict[str, Any]:
        """The keys of a row as they were asked for."""
        values = zip(self.by, self.columns(), strict=True)
        return {name: _value(column, row[column]) for name, column in values}


def flow_labels(session: Session) -> list[str]:
    """Names of labels that were added to flows."""
    return [row["name"] for row in session.ask(sql.load("flow_labels")).to_pylist()]


def _column(name: str) -> str:
    """The column that has all that there is of a key; empty for labels."""
    return "" if name == PEER_SERVICE else COLUMNS.get(name, "")


def _read(name: str, bound: str) -> str:
    """A key of a row, in SQL. bound: what the name of a label is bound to."""
    label = f"JSONExtractString(labels, {{{bound}:String}})"
    if name == PEER_SERVICE:
        return f"if({name} != '' OR labels = '', {name}, {label})"
    return _column(name) or label


def _condition(number: int, matcher: Matcher) -> str:
    column = _read(matcher.name, f"name_{number}")
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
