from __future__ import annotations

from typing import Any

import pytest

from ebprof.model import FlowCounts
from ebprof.traffic.monitor import COUNTERS
from ebprof.traffic.reports import statistics
from ebprof.traffic.reports.counters import lost
from ebprof.watch.ledger import BpfCost, Ledger, ToolCost
from tests.flows import FakeMonitor, client, failing, server

NOTHING = Ledger(
    statistics.FlowFigures("fake", 1, failing(refused=2)),
    1.0,
    BpfCost(0, 0),
    ToolCost(0),
    {counter.name: 0 for counter in COUNTERS},
)


def of(monitor: FakeMonitor) -> Ledger[statistics.FlowFigures]:
    return statistics.of_run(monitor, 0.25)  # type: ignore[arg-type]


def test_figures_of_a_run() -> None:
    values: dict[str, Any] = of(FakeMonitor(client(tx=5, rx=6), server(tx=7, rx=8))).to_json()
    assert values["backend"] == "fake"
    assert values["duration_seconds"] == 61.0
    assert values["flows"] == 2
    assert (values["totals"]["tx_bytes"], values["totals"]["rx_bytes"]) == (12, 14)
    assert values["totals"]["connect_errors"] == {}
    assert values["bpf"] == {"run_count": 1000, "run_seconds": 0.001}
    assert values["tool"]["ready_seconds"] == 0.25
    assert values["tool"]["cpu_seconds"] > 0 and values["tool"]["max_rss_bytes"] > 1e6
    assert values["counters"] == {counter.name: 0 for counter in COUNTERS}


def test_latencies_are_of_servers_and_of_clients() -> None:
    waited = FlowCounts(turns=4, latency_ns=10_000, latency_max_ns=4000)
    monitor = FakeMonitor(client(totals=waited))
    values = of(monitor).to_json()
    assert values["client_latency"] == {"turns": 4, "mean_us": 2.5, "max_us": 4.0}
    assert values["server_latency"] == {"turns": 0, "mean_us": None, "max_us": None}
    monitor.counts_turns = False
    values = of(monitor).to_json()
    assert values["client_latency"] == {"turns": None, "mean_us": None, "max_us": None}


def test_reasons_of_failures_have_names() -> None:
    assert NOTHING.to_json()["totals"]["connect_errors"] == {"refused": 2}


def test_the_summary_always_says_what_was_lost() -> None:
    lines = statistics.summary(of(FakeMonitor(client(tx=1500, rx=20))), not_shown=0)
    assert lines[0] == "1 flow in 61.0 s, sent 1.50 kB, received 20 B, lost 0, overflowed 0"
    assert lines[1].startswith("overhead: 0.002 % of a core in the kernel, 1.00 us a run; ebprof ")
    assert len(lines) == 2


def test_time_in_the_kernel_that_was_not_measured_is_not_none() -> None:
    last = statistics.summary(NOTHING, not_shown=0)[-1]
    assert last.startswith("overhead: nothing measured in the kernel; ebprof ")


@pytest.mark.parametrize("counter", COUNTERS, ids=lambda counter: str(counter.name))
def test_every_counter_has_a_line_when_it_is_not_zero(counter: Any) -> None:
    monitor = FakeMonitor(client())
    monitor.counts[counter.name] = 1234
    lines = statistics.summary(of(monitor), not_shown=5)
    assert f"  {counter.name} 1,234: {counter.help}" in lines
    assert "1 flow (5 not shown)" in lines[0]
    assert lost(monitor.counts) == (1234 if counter.is_loss else 0)
