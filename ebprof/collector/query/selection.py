"""What questions about profiles have in common: a type, series, and a range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebprof.collector import kinds
from ebprof.collector.query import sql
from ebprof.collector.query.plan import Plan, plan
from ebprof.collector.query.selector import EVERYTHING, Selector
from ebprof.collector.query.times import Range
from ebprof.collector.retention import Retention
from ebprof.collector.store.question import BadQuestionError, Session
from ebprof.collector.store.rows import ROLLED_UP, SERVICE

_EVER = Range(0, 7_258_118_400_000)


@dataclass(frozen=True, slots=True)
class Selection:
    """Samples of a type, of the series that a selector selects, in a range.

    now_ms: when it is asked. retention: of the store, which decides on the tables.
    """

    type: str
    selector: Selector
    range: Range
    now_ms: int
    retention: Retention

    def plan(self, *labels: str) -> Plan:
        """Which tables to ask; labels: those asked for besides the selector's."""
        used = dict.fromkeys((*self.selector.names, *labels))
        fine = [name for name in used if name in ROLLED_UP]
        return plan(self.range, self.now_ms, self.retention, fine)

    def parameters(self, found: Plan) -> dict[str, Any]:
        """What is bound in a query on this selection."""
        bound = sql.parameters(self.selector, found.covered)
        return {"type": self.type} | found.parameters() | bound

    def check(self, session: Session, *labels: str) -> None:
        """Raise BadQuestionError where nothing of this type, or with such labels, was ever stored.

        A store without any series is only young.
        """
        check_labels(session, [*self.selector.names, *labels])
        check_patterns(session, self.selector)
        known = kinds.known()
        if self.type not in known:
            stored = stored_types(session, _EVER)
            if self.type not in stored:
                hint = f"there are {', '.join(sorted({*stored, *known}))}"
                raise BadQuestionError(f"unknown type {self.type[:64]!r}", hint)


def stored_types(session: Session, within: Range) -> list[str]:
    """Types of which there are samples on days of a range."""
    bound = {"from": within.start_ms, "to": within.end_ms}
    return [row["type"] for row in session.ask(sql.load("types"), bound).to_pylist()]


def check_patterns(session: Session, selector: Selector) -> None:
    """Raise BadQuestionError for a bad pattern, also where it would be tried on nothing."""
    bound = sql.values(selector).values()
    for matcher, value in zip(selector.matchers, bound, strict=True):
        if matcher.is_pattern:
            session.ask(sql.load("pattern"), {"pattern": value})


def label_names(session: Session) -> list[str]:
    """Labels that any series ever had."""
    bound = sql.parameters(EVERYTHING, _EVER)
    return [row["name"] for row in session.ask(sql.load("label_names"), bound).to_pylist()]


def check_labels(session: Session, labels: list[str]) -> None:
    """Raise BadQuestionError for a label that no series has; each series has a service."""
    if set(labels) <= {SERVICE}:
        return
    known = label_names(session)
    for label in labels:
        if known and label not in known:
            raise BadQuestionError(
                f"no series has the label {label[:64]!r}", f"there are {', '.join(known[:50])}"
            )
