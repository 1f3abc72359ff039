"""Who talks to whom as a graph: `topology`.

Each connection between two watched ends is in the flows of both. Here the two are put together by
what they have in common: that they met in the kernel of one node, or their addresses and the
server's port. An edge has what each side saw, and uses one of them; never their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ebprof.collector.flow_keys import COLUMNS, PEER
from ebprof.collector.query import ends, sql
from ebprof.collector.query.flows import FlowSums, flow_labels
from ebprof.collector.query.graph import (
    CLIENT,
    NOISE_BYTES,
    SERVER,
    SUMS,
    USED,
    Edge,
    Node,
    Row,
    Seen,
    added,
    edge,
    nodes,
    noise_of,
    seen,
    together,
)
from ebprof.collector.query.labels import Agents
from ebprof.collector.query.plan import Plan
from ebprof.collector.query.selector import Selector
from ebprof.collector.query.times import Range
from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.question import Asked, BadQuestionError, Session
from ebprof.wire.flows import ERRORS

DEFAULT_BY = "service"
DEFAULT_NODES = 300
MAX_NODES = 2_000
MOST_OUTSIDE = 50
MOST_EDGES = 5_000
MOST_ROWS = 300_000
_AT = "toUnixTimestamp(ts) AS at"
_KEYS = ("node", "role", "local", "peer", "port", "peer_service", "peer_process", "labels")
_KEPT = ("homes", "called", "seen", "met", "named", "edges", "shown")
"""Tables that the graph is made by, each of those before it."""
_MACHINE = "('machine', if(home != '', home, far))"
_MACHINE_BY_NODE = "if(home != '', ('value', home), ('machine', far))"
_TURNED = {"tx_bytes": "rx_bytes", "rx_bytes": "tx_bytes"}
_SEEN_BY_CLIENTS = ERRORS
"""Connects that fail are no connections of their server."""


@dataclass(frozen=True, slots=True)
class TopologyAnswer:
    """Nodes and edges, those that moved most first.

    total: of all edges that are counted. client_side, server_side: of all flows of that side.
    unplaced: of flows of which nobody knows which end they are. hidden_nodes, hidden_edges: how
    many are `~other`. missing: nodes of which windows did not arrive, with how many.
    """

    covered: Range
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    total: Seen
    client_side: Seen
    server_side: Seen
    unplaced: Seen
    hidden_nodes: int
    hidden_edges: int
    missing: dict[str, int]


@dataclass(frozen=True, slots=True)
class Topology:
    """Edges between values of a label, of connections of which a selector selects either end.

    by: one of `ends.LABELS`, or a label that enrichers added. now_ms, retention: as of a
    `Selection`. most: nodes that are shown, those outside apart.
    """

    selector: Selector
    range: Range
    by: str
    now_ms: int
    retention: Retention
    most: int = DEFAULT_NODES

    def answer(self, database: Asked) -> TopologyAnswer:
        """Join both sides; raises BadQuestionError."""
        self._check(database)
        found = self._sums().plan()
        bound = self._bound(found)
        with database.session() as session:
            self._sums().check(session)
            hidden = self._keep(session, found, bound)
            rows = session.ask(self._sql("topology", found)).to_pylist()
            (unplaced,) = session.ask(self._sql("topology_unplaced", found), bound).to_pylist()
        agents = Agents(found.covered).answer(database)
        missing = {one["node"]: one["missing_windows"] for one in agents if one["missing_windows"]}
        return self._answer(found.covered, rows, unplaced, hidden, missing)

    def _check(self, database: Asked) -> None:
        if self.by in ends.LABELS:
            return
        with database.session() as session:
            added = [one for one in flow_labels(session) if not one.startswith(PEER)]
        if self.by not in added or self.by in COLUMNS:
            hint = f"there are {', '.join((*ends.LABELS, *added))}"
            raise BadQuestionError(f"ends have no label {self.by[:64]!r}", hint)

    @property
    def _label(self) -> str:
        return COLUMNS.get(self.by, self.by)

    def _sums(self) -> FlowSums:
        by = tuple(name for name in (self._label, ends.PEERS.get(self._label)) if name)
        return FlowSums(self.selector, self.range, by, self.now_ms, self.retention)

    def _bound(self, found: Plan) -> dict[str, Any]:
        return {
            **found.parameters(),
            **self._sums().bound(),
            "since": found.covered.start_ms - DAY_MS,
            "until": found.covered.end_ms,
            "most": self.most,
            "outside": MOST_OUTSIDE,
            "rows": MOST_ROWS + 1,
            "noise": noise_of(found.covered),
            "noise_bytes": NOISE_BYTES,
            "label": self._label,
            "named": ends.named_by(self._label),
        }

    def _keep(self, session: Session, found: Plan, bound: dict[str, Any]) -> int:
        """Keep all that the graph is made of; returns how many ends are not shown."""
        for name in _KEPT:
            table = f"topology_{name}"
            session.keep(table, self._sql(table, found), bound)
            if name == "seen":
                self._check_rows(session)
        (counts,) = session.ask(self._sql("topology_hidden", found)).to_pylist()
        return int(counts["hidden"])

    def _check_rows(self, session: Session) -> None:
        (counts,) = session.ask("SELECT count() AS rows FROM topology_seen").to_pylist()
        if counts["rows"] > MOST_ROWS:
            raise BadQuestionError(
                f"there are more than {MOST_ROWS:,} pairs of addresses", "ask for a shorter range"
            )

    def _sql(self, name: str, found: Plan) -> str:
        label = self._label
        peer = ends.PEERS.get(label, "")
        table = "flow_rows_by_hours" if found.hours else "flow_rows"
        selected = (COLUMNS[one] for one in self.selector.names if one in COLUMNS)
        used = {*_KEYS, *selected, *(one for one in (label, peer) if one in COLUMNS)}
        places = {
            "rows": sql.fill(table, {"columns": ", ".join((*sorted(used), _AT, *SUMS))}),
            "matching": self._sums().conditions(),
            "own": label if label in COLUMNS else ends.ADDED,
            "opposite": peer or "''",
            "is_met": ends.IS_MET if peer else "0",
            "network": ends.network("peer"),
            "named": ends.NAMED,
            "machine": _MACHINE_BY_NODE if label == "node" else _MACHINE,
            **{f"{one}_is_loopback": ends.is_loopback(one) for one in ("local", "peer", "server")},
        }
        return sql.fill(name, places | _SUMS)

    def _answer(
        self, covered: Range, rows: list[Row], unplaced: Row, hidden: int, missing: dict[str, int]
    ) -> TopologyAnswer:
        rest = rows[MOST_EDGES:]
        noise = noise_of(covered)
        shown = (*rows[:MOST_EDGES], *together(rest))
        all_together = added(rows)
        return TopologyAnswer(
            covered,
            tuple(nodes(rows)),
            tuple(edge(row, noise, missing) for row in shown),
            seen(added(row for row in rows if row["is_counted"])),
            seen(all_together, CLIENT),
            seen(all_together, SERVER),
            seen(unplaced),
            hidden,
            len(rest),
            missing,
        )


def _sums(template: str, prefix: str = USED) -> str:
    """A template for each count; `{0}` is its name."""
    return ", ".join(template.format(prefix + name) for name in SUMS)


def _used(name: str) -> str:
    condition = "has_client" if name in _SEEN_BY_CLIENTS else "uses_client"
    return f"sum(if(pairs.{condition}, pairs.client_{name}, pairs.server_{name})) AS {name}"


_SUMS = {
    "counts": ", ".join(SUMS),
    "of_flows": _sums("sum(flows.{0}) AS {0}"),
    "of_client": _sums("sumIf({0}, is_client) AS client_{0}"),
    "of_server": ", ".join(
        f"sumIf({_TURNED.get(name, name)}, NOT is_client) AS server_{name}" for name in SUMS
    ),
    "used": ", ".join(map(_used, SUMS)),
    "of_pairs": ", ".join(_sums("sum(pairs.{0}) AS {0}", side) for side in (CLIENT, SERVER)),
    "of_edges": ", ".join(_sums("sum(edges.{0}) AS {0}", side) for side in (USED, CLIENT, SERVER)),
}
"""Sums in each of the queries."""
