"""A topology as JSON: ends are names and kinds, counts have the names of `flows`."""

from __future__ import annotations

from typing import Any

from ebprof.collector.flow_keys import COLUMNS
from ebprof.collector.query.graph import VALUE, Edge, End, Seen
from ebprof.collector.query.times import Range, written_range
from ebprof.collector.query.topology import TopologyAnswer


def topology_json(by: str, answer: TopologyAnswer) -> dict[str, Any]:
    """The answer's object; by: as it was asked for."""
    kind = COLUMNS.get(by, by)
    return {
        **written_range(answer.covered),
        "by": by,
        "nodes": [
            {**_end("", one.end, kind), "tx_bytes": one.tx_bytes, "rx_bytes": one.rx_bytes}
            for one in answer.nodes
        ],
        "edges": [_edge(one, kind, answer.covered) for one in answer.edges],
        "total": _seen(answer.total),
        "client_side": _seen(answer.client_side),
        "server_side": _seen(answer.server_side),
        "unplaced": _seen(answer.unplaced),
        "hidden_nodes": answer.hidden_nodes,
        "hidden_edges": answer.hidden_edges,
        "missing": [
            {"node": node, "missing_windows": windows} for node, windows in answer.missing.items()
        ],
    }


def _edge(edge: Edge, kind: str, covered: Range) -> dict[str, Any]:
    sides = {"client": edge.client_side, "server": edge.server_side}
    seen_by = [name for name, side in sides.items() if side]
    seconds = covered.length_ms / 1000
    rated = {name: getattr(edge.used, name) for name in ("tx_bytes", "rx_bytes", "connections")}
    return {
        **_end("client", edge.client, kind),
        **_end("server", edge.server, kind),
        "seen_by": "both" if len(seen_by) == 2 else seen_by[0],
        **_seen(edge.used),
        "rates": {name: round(value / seconds, 3) for name, value in rated.items()},
        **{f"{name}_side": side and _seen(side) for name, side in sides.items()},
        "counted": edge.is_counted,
        "translated": edge.is_apart,
        "differs_bytes": edge.differs,
        "differs_because": edge.because,
        "missing": edge.missing,
    }


def _end(side: str, end: End, kind: str) -> dict[str, str]:
    shown = kind if end.kind == VALUE else end.kind
    return {side or "name": end.name, f"{side}_kind".strip("_"): shown}


def _seen(seen: Seen) -> dict[str, Any]:
    return {
        "tx_bytes": seen.tx_bytes,
        "rx_bytes": seen.rx_bytes,
        "connections": seen.connections,
        "failed_connects": sum(seen.failed.values()),
        "connect_errors": seen.failed,
        "retransmits": seen.retransmits,
        "rtt_us": seen.rtt_us,
    }
