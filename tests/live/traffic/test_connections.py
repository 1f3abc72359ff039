"""Connections: how many, how they fail, and very many short ones."""

from __future__ import annotations

import time

import pytest

from tests.live.traffic.hosts import Host, hosts
from tests.live.traffic.puppet import StepError, puppet
from tests.live.traffic.recorded import recording
from tests.live.traffic.scenarios import Finished, Scenarios, Steps
from tests.live.traffic.transfers import Way, transfer

CONNECTIONS = 50_000
FAST_OPENS = 1_000
WARM_UP = 2_000
SOURCES = 8
REQUEST, REPLY = 113, 251
MEMORY_SLACK_KIB = 4_096
RETRANSMIT_SECONDS = 60

NOBODY = "10.77.0.99"
NO_CARD = "02:00:00:00:00:99"
BEHIND_A_ROUTER = "10.99.0.1"
SCENARIOS = Scenarios()


@SCENARIOS.add_with("127.0.0.1", "::1", "::ffff:127.0.0.1")
def refused(address: str) -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        port = server.listen("listener", address)
        server.close("listener")
        for _ in range(3):
            with pytest.raises(StepError, match="ECONNREFUSED"):
                client.connect("c", address, port)
        recorded = yield
        flow = recorded.one(pid=client.pid)
        assert flow.connect_errors == {"refused": 3}
        assert (flow.failed_connects, flow.connections, flow.tx_bytes) == (3, 0, 0)
        assert (flow.role, flow.comm, flow.peer_port) == ("client", "client", port)
        assert flow.peer_address == address.removeprefix("::ffff:")


@SCENARIOS.add
def no_answer() -> Steps:
    yield
    with hosts(1) as (host,), puppet("client", within=host.within) as client:
        lose_what_goes_to_nobody(host)
        with pytest.raises(StepError, match="ETIMEDOUT"):
            client.connect("timeout", NOBODY, 80)
        client.begin_connect("closed", NOBODY, 81)
        client.close("closed")
        client.begin_connect("left", NOBODY, 82)
        client.end()
        recorded = yield
        errors = {flow.peer_port: flow.connect_errors for flow in recorded.having(pid=client.pid)}
        assert errors == {80: {"timeout": 1}, 81: {"cancelled": 1}, 82: {"cancelled": 1}}
        for flow in recorded.having(pid=client.pid):
            assert (flow.role, flow.comm, flow.failed_connects) == ("client", "client", 1)
            assert (flow.connections, flow.closed, flow.tx_bytes) == (0, 0, 0)


@SCENARIOS.add
def unreachable() -> Steps:
    yield
    with hosts(2) as (router, host), puppet("client", within=host.within) as client:
        refuse_behind(router, host)
        with pytest.raises(StepError, match="EHOSTUNREACH"):
            client.connect("c", BEHIND_A_ROUTER, 80)
        recorded = yield
        flow = recorded.one(pid=client.pid)
        assert flow.connect_errors == {"unreachable": 1}
        assert (flow.peer_address, flow.peer_port) == (BEHIND_A_ROUTER, 80)
        assert (flow.connections, flow.failed_connects) == (0, 1)


def lose_what_goes_to_nobody(host: Host) -> None:
    """Packets go to a card that does not exist: no answer ever comes."""
    host.ip("neigh", "add", NOBODY, "lladdr", NO_CARD, "dev", "eth0", "nud", "permanent")


def refuse_behind(router: Host, host: Host) -> None:
    """The router answers that there is no way to what lies behind it."""
    router.set("net.ipv4.ip_forward", 1)
    router.ip("route", "add", "unreachable", f"{BEHIND_A_ROUTER}/32")
    host.ip("route", "add", f"{BEHIND_A_ROUTER}/32", "via", router.address)


@SCENARIOS.add
def a_peer_vanishes() -> Steps:
    yield
    with (
        hosts(2) as (there, here),
        puppet("server", within=there.within) as server,
        puppet("client", within=here.within) as client,
    ):
        port = server.listen("listener", there.address)
        client.connect("c", there.address, port)
        server.accept("s", "listener")
        client.send("c", 1_000)
        server.receive("s", 1_000)
        there.ip("link", "set", "eth0", "down")
        client.send("c", 500)
        wait_for_retransmits(here, 2)
        recorded = yield
        flow = recorded.one(pid=client.pid)
        assert (flow.tx_bytes, flow.connections, flow.closed) == (1_500, 1, 0)
        assert flow.retransmits >= 2
        served = recorded.one(pid=server.pid)
        assert (served.rx_bytes, served.retransmits) == (1_000, 0)


def wait_for_retransmits(host: Host, number: int) -> None:
    """Wait until the host has sent so many segments again."""
    deadline = time.monotonic() + RETRANSMIT_SECONDS
    while host.statistic("RetransSegs") < number:
        assert time.monotonic() < deadline, "no retransmits"
        time.sleep(0.1)


@SCENARIOS.add
def data_in_the_first_packet() -> Steps:
    yield
    with hosts(1) as (host,):
        host.set("net.ipv4.tcp_fastopen", 0x207)
        client, server = Way("fastopen", bytes=1_234), Way("fastopen", bytes=567)
        done = transfer(host.address, client, server, connections=FAST_OPENS, within=host.within)
        assert host.statistic("TCPFastOpenPassive") == FAST_OPENS
        recorded = yield
        asked, served = recorded.one(pid=done.client.pid), recorded.one(pid=done.server.pid)
        assert (asked.tx_bytes, asked.rx_bytes) == (FAST_OPENS * 1_234, FAST_OPENS * 567)
        assert (served.tx_bytes, served.rx_bytes) == (FAST_OPENS * 567, FAST_OPENS * 1_234)
        assert (asked.role, asked.connections, asked.closed) == ("client", FAST_OPENS, FAST_OPENS)
        assert (served.role, served.connections, served.closed) == (
            "server",
            FAST_OPENS,
            FAST_OPENS,
        )


@pytest.mark.parametrize("name", SCENARIOS)
def test_connections(finished: Finished, name: str) -> None:
    finished.check(name)


def test_many_short_connections(backend: str) -> None:
    client, server = Way(bytes=REQUEST), Way(bytes=REPLY)
    with recording(backend) as running:
        transfer("127.0.0.1", client, server, connections=WARM_UP, sources=SOURCES)
        peak_kib = running.peak_kib
        done = transfer("127.0.0.1", client, server, connections=CONNECTIONS, sources=SOURCES)
        recorded = running.stop()
    each = CONNECTIONS // SOURCES
    addresses = {f"127.0.0.{number}" for number in range(1, SOURCES + 1)}
    asked = recorded.having(pid=done.client.pid, role="client", peer_port=done.port)
    served = recorded.having(pid=done.server.pid, role="server", local_port=done.port)
    assert {flow.local_address for flow in asked} == addresses
    assert {flow.peer_address for flow in served} == addresses
    assert len(asked) == len(served) == SOURCES
    for flow in asked:
        assert (flow.tx_bytes, flow.rx_bytes) == (each * REQUEST, each * REPLY)
    for flow in served:
        assert (flow.tx_bytes, flow.rx_bytes) == (each * REPLY, each * REQUEST)
    for flow in asked + served:
        assert (flow.connections, flow.closed, flow.failed_connects) == (each, each, 0)
        assert (flow.tx_calls, flow.rx_calls) == (each, each)
    assert recorded.losses == {}
    assert recorded.peak_kib < peak_kib + MEMORY_SLACK_KIB
