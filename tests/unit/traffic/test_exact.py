"""Nothing gets lost: rows and `~other` are all that was counted and selected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebprof.bpf.traffic import FlowBatch
from ebprof.model import FlowRow
from ebprof.traffic.endpoint import parse_endpoint
from ebprof.traffic.filter import FlowFilter
from ebprof.traffic.grouping import PIVOTS, SORTS
from ebprof.traffic.monitor import Monitor
from ebprof.traffic.table import FlowTable
from tests.unit.traffic.batches import CLIENT, SERVER, FakeSession, batch, counts, key

FLOW = st.tuples(
    st.integers(0, 3),  # process
    st.integers(1, 3),  # peer
    st.sampled_from([0, 80, 81]),  # peer's port
    st.sampled_from([CLIENT, SERVER]),
)
MOVED = st.tuples(st.integers(0, 1 << 56), st.integers(0, 5))
# flows and what they moved, what found no room, whether a new window begins
TICK = st.tuples(st.dictionaries(FLOW, MOVED, max_size=8), st.integers(0, 3), st.booleans())
FILTERS = st.builds(
    FlowFilter,
    pids=st.sampled_from([(), (1,), (1, 2)]),
    port=st.sampled_from([None, 80]),
    destination=st.sampled_from([None, parse_endpoint("10.0.0.2")]),
)


def is_selected(flow: tuple[int, int, int, int], wanted: FlowFilter) -> bool:
    pid, peer, port, role = flow
    server = f"10.0.0.{peer}" if role == CLIENT else "10.9.9.9"
    return (
        (not wanted.pids or pid in wanted.pids)
        and wanted.port in (None, port)
        and (wanted.destination is None or server == "10.0.0.2")
    )


def to_batch(flows: dict[Any, tuple[int, int]], other: int) -> FlowBatch:
    made = (
        (
            key(pid, peer=f"10.0.0.{peer}", local="10.9.9.9", peer_port=port, role=role),
            counts(tx, tx_calls=calls),
        )
        for (pid, peer, port, role), (tx, calls) in flows.items()
    )
    return batch(*made, other=counts(other))


def moved(rows: Iterable[FlowRow]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        found.update({"tx": row.totals.tx_bytes, "calls": row.totals.tx_calls})
        found.update({"recent tx": row.recent.tx_bytes, "recent calls": row.recent.tx_calls})
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ticks=st.lists(TICK, max_size=8),
    wanted=FILTERS,
    by=st.lists(st.sampled_from(PIVOTS), min_size=1, max_size=3),
    sort=st.sampled_from(SORTS),
    max_rows=st.integers(1, 12),
)
def test_totals_stay_exact(
    ticks: list[Any], wanted: FlowFilter, by: list[str], sort: str, max_rows: int
) -> None:
    session: Any = FakeSession()
    monitor = Monitor(session, "fake", wanted)
    monitor._table = FlowTable(0.0, max_rows=max_rows)
    expected: Counter[str] = Counter()
    for flows, other, is_marked in ticks:
        if is_marked:
            monitor.mark()
            expected["recent tx"] = expected["recent calls"] = 0
        session.batches.append(to_batch(flows, other))
        monitor.tick()
        selected = [(other, 0), *(flows[flow] for flow in flows if is_selected(flow, wanted))]
        for tx, calls in selected:
            expected.update({"tx": tx, "calls": calls, "recent tx": tx, "recent calls": calls})
        report = monitor.rows(tuple(by), sort)
        assert moved(report.rows) == moved([report.totals]) == expected
        assert sum(row.flows for row in report.rows) == report.totals.flows <= max_rows
        assert sum(row.is_other for row in report.rows) <= 1
