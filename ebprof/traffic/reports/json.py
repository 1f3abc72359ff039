"""One JSON object a line, one line a row; see docs/traffic.md."""

from __future__ import annotations

import json

from ebprof.identity.processes import NO_COMM
from ebprof.model import FlowCounts, FlowRow
from ebprof.traffic.reports import units


class JsonForm:
    """Rows as JSON lines."""

    head = ""

    def line(self, row: FlowRow, counts: FlowCounts, time_s: float) -> str:
        """A row with its line end. counts: of the interval that ended at time_s (Unix time)."""
        return json.dumps(_values(row, counts, time_s)) + "\n"


def _values(row: FlowRow, counts: FlowCounts, time_s: float) -> dict[str, object]:
    values: dict[str, object] = {
        "time": round(time_s, 3),
        "pid": row.pid or None,
        "comm": _comm(row),
        "role": row.role,
        "family": row.family,
        "local_address": row.local_address,
        "local_port": row.local_port,
        "peer_address": row.peer_address,
        "peer_port": row.peer_port,
        "port": row.port,
        "tx_bytes": counts.tx_bytes,
        "rx_bytes": counts.rx_bytes,
        "tx_calls": counts.tx_calls,
        "rx_calls": counts.rx_calls,
        "connections": counts.connections,
        "closed": counts.closed,
        "failed_connects": counts.failed_connects,
        "connect_errors": dict(counts.connect_errors),
        "retransmits": counts.retransmits,
        "rtt_us": _tenths(row.rtt_us),
        "turns": counts.turns,
        "latency_mean_us": _tenths(counts.latency_mean_us),
        "latency_max_us": _tenths(counts.latency_max_us),
        "peer_pid": row.peer_pid,
        "peer_comm": row.peer_comm,
        "cgroup": row.cgroup,
        "container": row.container,
        "container_name": row.container_name,
        "pod": row.pod,
        "unit": row.unit,
        "nat_local_address": row.nat_local_address,
        "nat_local_port": row.nat_local_port,
        "nat_peer_address": row.nat_peer_address,
        "nat_peer_port": row.nat_peer_port,
    }
    if row.peer_name:
        values["peer_name"] = row.peer_name
    return values


def _tenths(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _comm(row: FlowRow) -> str | None:
    if row.is_other:
        return units.OTHER
    return None if row.pid == 0 and row.comm == NO_COMM else row.comm
