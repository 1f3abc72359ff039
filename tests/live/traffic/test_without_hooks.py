"""The backend without hooks on calls: the same bytes, from the sockets' own counters."""

from __future__ import annotations

import pytest

from ebprof import features
from tests.live.traffic.recorded import Recorded, recording
from tests.live.traffic.transfers import Transfer, Way, transfer

BYTES = 1_234_567
CONNECTIONS = 2_000
TRANSFERS = {
    "calls": ("127.0.0.1", Way("send", "recv", BYTES), Way("writev", "readv", 77), 1),
    "splice": ("::1", Way("sendfile", "splice", BYTES), Way("send", "splice", 5), 1),
    "peek": ("127.0.0.1", Way("send", "peek", 1_000), Way("send", "waitall", BYTES), 1),
    "short": ("127.0.0.1", Way("send", "recv", 100), Way("send", "recv", 50), CONNECTIONS),
}


@pytest.fixture(scope="module")
def finished() -> tuple[dict[str, Transfer], Recorded]:
    feature = features.probe("traffic_states")
    if feature.state == features.MISSING:
        pytest.skip(f"traffic_states: {feature.detail}")
    with recording("states") as running:
        done = {
            name: transfer(address, client, server, connections=connections)
            for name, (address, client, server, connections) in TRANSFERS.items()
        }
        return done, running.stop()


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("name", TRANSFERS)
def test_bytes_connections_and_processes_are_exact(
    finished: tuple[dict[str, Transfer], Recorded], name: str, role: str
) -> None:
    transfers, recorded = finished
    end = getattr(transfers[name], role)
    flow = recorded.one(pid=end.pid)
    assert (flow.tx_bytes, flow.rx_bytes) == (end.sent, end.received)
    assert flow.connections == flow.closed == TRANSFERS[name][3]
    assert flow.role == role
    assert (flow.tx_calls, flow.rx_calls) == (0, 0)


def test_nothing_is_lost(finished: tuple[dict[str, Transfer], Recorded]) -> None:
    assert finished[1].losses == {}
