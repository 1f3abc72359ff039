"""What a run counted and what it cost: the summary for people, `--stats` for programs."""

from __future__ import annotations

import resource
from dataclasses import asdict, dataclass, field
from typing import Any

from ebprof.model import FlowCounts
from ebprof.traffic.monitor import Monitor
from ebprof.traffic.reports import units
from ebprof.traffic.reports.counters import explained, lost


@dataclass(frozen=True, slots=True)
class BpfStatistics:
    """Runs of the BPF programs and the time they took, by the kernel's own measure."""

    run_count: int
    run_seconds: float


@dataclass(frozen=True, slots=True)
class ToolStatistics:
    """ebprof's own cost. ready: process start to counting on."""

    ready_seconds: float
    cpu_seconds: float
    max_rss_bytes: int


@dataclass(frozen=True, slots=True)
class TrafficStatistics:
    """One run, as `--stats` writes it.

    failures: what `readers_failed` counts, by exception and line of code.
    """

    backend: str
    duration_seconds: float
    flows: int
    totals: FlowCounts
    bpf: BpfStatistics
    tool: ToolStatistics
    counters: dict[str, int]
    failures: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, keys as the fields are named; connect_errors by their names."""
        totals = self.totals._asdict()
        totals["connect_errors"] = dict(self.totals.connect_errors)
        return asdict(self) | {"totals": totals}


def of_run(monitor: Monitor, ready_seconds: float) -> TrafficStatistics:
    """The figures of a monitor that has counted its last."""
    report = monitor.rows(("flow",), "total", 0)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return TrafficStatistics(
        backend=monitor.backend,
        duration_seconds=report.elapsed_s,
        flows=report.totals.flows,
        totals=report.totals.totals,
        bpf=BpfStatistics(*monitor.overhead()),
        tool=ToolStatistics(ready_seconds, usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss),
        counters=monitor.counters(),
        failures=monitor.failures,
    )


def summary(statistics: TrafficStatistics, not_shown: int) -> list[str]:
    """Lines for stderr: flows, bytes each way, lost, counters, overhead."""
    counters, totals = statistics.counters, statistics.totals
    hidden = f" ({not_shown:,} not shown)" if not_shown else ""
    flows = f"{statistics.flows:,} flow{'' if statistics.flows == 1 else 's'}{hidden}"
    return [
        f"{flows} in {statistics.duration_seconds:.1f} s, sent {units.amount(totals.tx_bytes)}, "
        f"received {units.amount(totals.rx_bytes)}, lost {lost(counters):,}, "
        f"overflowed {counters['overflowed']:,}",
        *explained(counters),
        _overhead(statistics),
    ]


def _overhead(statistics: TrafficStatistics) -> str:
    bpf, tool = statistics.bpf, statistics.tool
    duration = max(statistics.duration_seconds, 1e-9)
    kernel = "nothing measured in the kernel"
    if bpf.run_count:
        share, each = 100 * bpf.run_seconds / duration, 1e6 * bpf.run_seconds / bpf.run_count
        kernel = f"{share:.3f} % of a core in the kernel, {each:.2f} us a run"
    return (
        f"overhead: {kernel}; "
        f"ebprof itself {tool.cpu_seconds:.2f} s CPU, {tool.max_rss_bytes / 1e6:.0f} MB"
    )
