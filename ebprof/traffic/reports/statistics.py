"""What a run counted: the figures of its ledger, and the summary for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ebprof.model import FlowCounts
from ebprof.traffic.monitor import Monitor
from ebprof.traffic.reports import units
from ebprof.traffic.reports.counters import explained, lost
from ebprof.watch.ledger import BpfCost, Ledger, ToolCost

_ROLES = ("server", "client")
_OF_TURNS = ("turns", "latency_ns", "latency_max_ns")
_NOTHING = FlowCounts()


@dataclass(frozen=True, slots=True)
class FlowFigures:
    """What a run counted, by which backend. by_role: of servers' and of clients' flows."""

    backend: str
    flows: int
    totals: FlowCounts
    by_role: dict[str, FlowCounts] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, keys as the fields are named; connect_errors by their names."""
        totals = self.totals._asdict()
        totals["connect_errors"] = dict(self.totals.connect_errors)
        for name in _OF_TURNS:
            del totals[name]
        latencies = {
            f"{role}_latency": _latency(self.by_role.get(role, _NOTHING)) for role in _ROLES
        }
        return {
            "backend": self.backend,
            "flows": self.flows,
            "totals": totals,
            **latencies,
        }


def _latency(counts: FlowCounts) -> dict[str, float | None]:
    return {
        "turns": counts.turns,
        "mean_us": counts.latency_mean_us,
        "max_us": counts.latency_max_us,
    }


def of_run(monitor: Monitor, ready_seconds: float) -> Ledger[FlowFigures]:
    """The figures of a monitor that has counted its last."""
    report = monitor.rows(("flow",), "total", 0)
    of_roles = {row.role or "": row.totals for row in monitor.rows(("role",), "name").rows}
    if not monitor.counts_turns:
        of_roles = dict.fromkeys(_ROLES, FlowCounts(turns=None))
    totals = report.totals
    ledger = Ledger(
        subject=FlowFigures(monitor.backend, totals.flows, totals.totals, of_roles),
        duration_seconds=report.elapsed_s,
        bpf=BpfCost(*monitor.overhead()),
        tool=ToolCost(ready_seconds),
        counters=monitor.counters(),
        failures=monitor.failures,
    )
    return ledger.closed()


def summary(ledger: Ledger[FlowFigures], not_shown: int) -> list[str]:
    """Lines for stderr: flows, bytes each way, lost, counters, overhead."""
    counters, found, totals = ledger.counters, ledger.subject, ledger.subject.totals
    hidden = f" ({not_shown:,} not shown)" if not_shown else ""
    flows = f"{found.flows:,} flow{'' if found.flows == 1 else 's'}{hidden}"
    return [
        f"{flows} in {ledger.duration_seconds:.1f} s, sent {units.amount(totals.tx_bytes)}, "
        f"received {units.amount(totals.rx_bytes)}, lost {lost(counters):,}, "
        f"overflowed {counters['overflowed']:,}",
        *explained(counters),
        ledger.overhead("run", 2),
    ]
