"""Questions about what there is: labels, their values, types, agents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebprof.collector import kinds
from ebprof.collector.query import sql
from ebprof.collector.query.selection import check_labels, check_patterns, stored_types
from ebprof.collector.query.selector import Selector
from ebprof.collector.query.times import Range, written
from ebprof.collector.store.question import Asked

MOST_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class LabelNames:
    """Names of labels of series that were there on days of a range."""

    selector: Selector
    range: Range

    def answer(self, database: Asked) -> list[str]:
        """The names, sorted."""
        bound = sql.parameters(self.selector, self.range)
        with database.session() as session:
            check_labels(session, self.selector.names)
            check_patterns(session, self.selector)
            rows = session.ask(sql.load("label_names", self.selector), bound).to_pylist()
        return [row["name"] for row in rows]


@dataclass(frozen=True, slots=True)
class LabelValues:
    """Values of a label of series that were there on days of a range."""

    name: str
    selector: Selector
    range: Range

    def answer(self, database: Asked) -> list[str]:
        """The values, sorted, MOST_VALUES at most; raises BadQuestionError for an unknown label."""
        bound = sql.parameters(self.selector, self.range) | {"name": self.name}
        bound["most"] = MOST_VALUES
        with database.session() as session:
            check_labels(session, [self.name, *self.selector.names])
            check_patterns(session, self.selector)
            rows = session.ask(sql.load("label_values", self.selector), bound).to_pylist()
        return [row["value"] for row in rows]


@dataclass(frozen=True, slots=True)
class ProfileTypes:
    """Types of which there are samples on days of a range."""

    range: Range

    def answer(self, database: Asked) -> list[kinds.Kind]:
        """The types, sorted by name."""
        with database.session() as session:
            names = stored_types(session, self.range)
        return [kinds.Kind(name, kinds.unit_of(name)) for name in names]


@dataclass(frozen=True, slots=True)
class Agents:
    """Nodes that pushed in a range, by the label `node`."""

    range: Range

    def answer(self, database: Asked) -> list[dict[str, Any]]:
        """A row a node; figures are null where it was not ebprof's agent that pushed.

        `last_push`: RFC 3339, of the last samples. `samples_total`, `lost_total`: CPU samples that
        arrived, and that the agent could not keep; `missing_windows`: that it closed and that did
        not arrive. `spool_bytes`: as it was in the last window.
        """
        bound = {"from": self.range.start_ms, "to": self.range.end_ms}
        with database.session() as session:
            rows = session.ask(sql.load("agents"), bound).to_pylist()
        return [_agent(row) for row in rows]


_FIGURES = ("version", "samples_total", "lost_total", "spool_bytes", "missing_windows")


def _agent(row: dict[str, Any]) -> dict[str, Any]:
    is_ours = row["arrived_windows"] > 0
    figures = {name: row[name] if is_ours else None for name in _FIGURES}
    return {"node": row["node"], "last_push": written(row["last_push_ms"])} | figures
