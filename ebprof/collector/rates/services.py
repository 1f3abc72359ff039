"""Who talks to whom over TCP: the edges of `topology`, each connection once."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from ebprof.collector.query.graph import Edge, End
from ebprof.collector.query.selector import EVERYTHING
from ebprof.collector.query.times import Range
from ebprof.collector.query.topology import DEFAULT_BY, MAX_NODES, Topology, TopologyAnswer
from ebprof.collector.rates._family import Count
from ebprof.collector.retention import Retention
from ebprof.metrics import Metric

_ENDS = "client,server"
EDGE = 2
METRICS = (
    Metric("ebprof_service_tx_bytes_total", "Bytes that clients sent to servers.", _ENDS),
    Metric("ebprof_service_rx_bytes_total", "Bytes that servers sent to clients.", _ENDS),
    Metric("ebprof_service_connections_total", "Connections that were made.", _ENDS),
    Metric("ebprof_service_failed_connects_total", "Connects that failed.", f"{_ENDS},reason"),
    Metric(
        "ebprof_service_retransmits_total", "Segments that were sent again, as one side saw.", _ENDS
    ),
    Metric("ebprof_service_rtt_seconds_total", "Smoothed round trip times, added up.", _ENDS),
    Metric("ebprof_service_rtt_samples_total", "How many round trip times were added up.", _ENDS),
)
OUTSIDE = "~outside"
"""Ends that are only known by an address."""
UNKNOWN = "~unknown"
"""Ends whose process is not known."""


def question(within: Range, now_ms: int, retention: Retention) -> Topology:
    """See `Family`."""
    return Topology(EVERYTHING, within, DEFAULT_BY, now_ms, retention, MAX_NODES)


def counts(answer: TopologyAnswer) -> Iterator[Count]:
    """See `Family`."""
    for edge in answer.edges:
        if edge.is_counted:
            yield from _counts(edge)


def _counts(edge: Edge) -> Iterator[Count]:
    pair, used = (_name(edge.client), _name(edge.server)), edge.used
    amounts = {
        "tx_bytes": used.tx_bytes,
        "rx_bytes": used.rx_bytes,
        "connections": used.connections,
        "retransmits": used.retransmits,
        "rtt_seconds": used.rtt_sum,
        "rtt_samples": used.rtt_count,
    }
    for name, amount in amounts.items():
        yield Count(f"ebprof_service_{name}_total", pair, amount)
    for reason, amount in used.failed.items():
        yield Count("ebprof_service_failed_connects_total", pair, amount, (reason,))


def _name(end: End) -> str:
    try:
        ip_address(end.name)
    except ValueError:
        return end.name or UNKNOWN
    return OUTSIDE
