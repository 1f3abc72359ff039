"""Connections of MPTCP: one each, whatever subflows they have, and exact as those of TCP."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import needed
from tests.live.traffic.conftest import BACKENDS, needing
from tests.live.traffic.hosts import Host, hosts
from tests.live.traffic.pairs import ADDRESSES, connect, connecting, moved, share
from tests.live.traffic.puppet import Puppet, StepError, puppet
from tests.live.traffic.recorded import Recorded
from tests.live.traffic.scenarios import Finished, Scenarios, Steps
from tests.live.traffic.test_connections import wait_for_retransmits

SCENARIOS = Scenarios()
SECONDS_TO_CLAIM = 2.5
SECONDS_TO_JOIN = 10
PIECE_BYTES = 200_000
OTHER_ADDRESS = "10.77.0.101"
NO_SERVICE = 1


@pytest.fixture(scope="module", params=[needing(name) for name in (*BACKENDS, "states")])
def finished(request: pytest.FixtureRequest) -> Iterator[Finished]:
    needed.skip_without("traffic_mptcp")
    skip_where_mptcp_is_off()
    done = SCENARIOS.run(request.param)
    yield done
    done.close()


def skip_where_mptcp_is_off() -> None:
    """Skip where the administrator allows no sockets of MPTCP."""
    if Path("/proc/sys/net/mptcp/enabled").read_text().strip() != "1":
        pytest.skip("net.mptcp.enabled is not 1")


def mptcp(*puppets: Puppet) -> None:
    """Let processes make sockets of MPTCP from now on."""
    for one in puppets:
        one.use_mptcp()


def move(client: Puppet, server: Puppet) -> None:
    """Move 50,123 bytes there, and 777 back."""
    client.send_many("c", 123, 1)
    client.send_many("c", 5_000, 10)
    server.receive("s", 50_123)
    server.send("s", 777)
    client.receive("c", 777)


def close(client: Puppet, server: Puppet) -> None:
    """Close both ends, and wait until the connection is over."""
    client.close("c")
    assert server.receive("s", 1) == 0
    server.close("s")
    time.sleep(0.2)


def check(
    recorded: Recorded, client: Puppet, server: Puppet, port: int, opened: int, closed: int
) -> None:
    """Each end of a connection that moved those bytes is one flow."""
    asked, served = recorded.one(pid=client.pid), recorded.one(pid=server.pid)
    assert (asked.role, asked.peer_port, asked.comm) == ("client", port, "client")
    assert (served.role, served.local_port, served.comm) == ("server", port, "server")
    assert (asked.tx_bytes, asked.rx_bytes) == (50_123, 777)
    assert (served.tx_bytes, served.rx_bytes) == (777, 50_123)
    assert (asked.connections, asked.closed) == (opened, closed)
    assert (served.connections, served.closed) == (opened, closed)
    assert recorded.having(pid=None, peer_port=port) == []
    assert recorded.having(pid=None, local_port=port) == []


@SCENARIOS.add_with(*ADDRESSES)
def connected_before(address: str) -> Steps:
    with puppet("server") as server, puppet("client") as client:
        mptcp(server, client)
        port = connect(client, server, address)
        client.send("c", 10_000)
        server.receive("s", 10_000)
        yield
        move(client, server)
        recorded = yield
        check(recorded, client, server, port, 0, 0)


@SCENARIOS.add_with(*ADDRESSES)
def connected_while(address: str) -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        mptcp(server, client)
        port = connect(client, server, address)
        move(client, server)
        close(client, server)
        recorded = yield
        check(recorded, client, server, port, 1, 1)
        assert recorded.one(pid=client.pid).local_address == address.removeprefix("::ffff:")
        turns = {"states": None, "kprobe": 0}.get(recorded.stats["backend"], 1)
        assert [recorded.one(pid=one.pid).turns for one in (client, server)] == [turns, turns]


@SCENARIOS.add_with("client", "server", "neither")
def plain_tcp_at_the_other_end_before(of_mptcp: str) -> Steps:
    with puppet("server") as server, puppet("client") as client:
        mptcp(*{"client": (client,), "server": (server,), "neither": ()}[of_mptcp])
        port = connect(client, server)
        yield
        move(client, server)
        close(client, server)
        recorded = yield
        check(recorded, client, server, port, 0, 1)


@SCENARIOS.add_with("client", "server", "neither")
def plain_tcp_at_the_other_end_while(of_mptcp: str) -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        mptcp(*{"client": (client,), "server": (server,), "neither": ()}[of_mptcp])
        port = connect(client, server)
        move(client, server)
        close(client, server)
        recorded = yield
        check(recorded, client, server, port, 1, 1)


@SCENARIOS.add_with("tcp", "mptcp")
def the_listener_is_of_mptcp_and_older(client_protocol: str) -> Steps:
    """A connection on which nobody calls belongs to whoever listens."""
    with puppet("server") as server, puppet("client") as client:
        mptcp(server, *((client,) if client_protocol == "mptcp" else ()))
        port = server.listen("listener", "::")
        yield
        client.connect("c", "127.0.0.1", port)
        server.accept("s", "listener")
        time.sleep(SECONDS_TO_CLAIM)
        recorded = yield
        served = recorded.one(role="server", local_port=port)
        assert (served.pid, served.connections) == (server.pid, 1)


@SCENARIOS.add
def refused() -> Steps:
    yield
    with puppet("client") as client:
        mptcp(client)
        with pytest.raises(StepError, match="ECONNREFUSED"):
            client.connect("c", "127.0.0.1", NO_SERVICE)
        recorded = yield
        asked = recorded.one(pid=client.pid)
        assert asked.connect_errors == {"refused": 1}
        assert (asked.role, asked.peer_port, asked.connections) == ("client", NO_SERVICE, 0)


@SCENARIOS.add
def what_is_read_after_the_end_counts() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        mptcp(server, client)
        connect(client, server)
        client.send("c", 9_000)
        client.close("c")
        server.shutdown("s")
        time.sleep(SECONDS_TO_CLAIM)
        assert server.receive("s", 10_000) == 9_000
        server.close("s")
        recorded = yield
        assert moved(recorded, server) == (0, 9_000)
        assert moved(recorded, client) == (9_000, 0)


@SCENARIOS.add
def peeked_and_unread_bytes_do_not_count() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        mptcp(server, client)
        connect(client, server)
        client.send("c", 1_000)
        server.peek("s", 1_000)
        server.receive("s", 100)
        server.close("s")
        recorded = yield
        assert moved(recorded, server) == (0, 100)
        assert moved(recorded, client) == (1_000, 0)


@SCENARIOS.add
def one_socket_has_one_connection_after_the_other() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        mptcp(server, client)
        port = connect(client, server)
        client.send("c", 1_000)
        server.receive("s", 1_000)
        client.disconnect("c")
        client.connect_again("c", "127.0.0.1", port)
        server.accept("s", "listener")
        client.send("c", 77)
        server.receive("s", 77)
        recorded = yield
        assert moved(recorded, client) == (1_077, 0)
        assert moved(recorded, server) == (0, 1_077)
        asked = recorded.one(pid=client.pid)
        assert (asked.connections, asked.closed) == (2, 1)


@SCENARIOS.add
def data_in_the_first_packet() -> Steps:
    yield
    with ExitStack() as stack:
        (host,) = stack.enter_context(hosts(1))
        client, server = (
            stack.enter_context(puppet(name, within=host.within)) for name in ("client", "server")
        )
        host.set("net.ipv4.tcp_fastopen", 0x207)
        mptcp(client, server)
        port = server.listen_with("listener", host.address, fast_open=16)
        for _ in range(2):
            client.send_first("c", host.address, port, 1_234)
            server.accept("s", "listener")
            server.receive("s", 1_234)
            close(client, server)
        assert host.statistic("TCPFastOpenPassive") == 2
        recorded = yield
        assert moved(recorded, client) == (2_468, 0)
        assert moved(recorded, server) == (0, 2_468)
        assert recorded.one(pid=client.pid).connections == 2
        assert recorded.one(pid=server.pid).connections == 2


@SCENARIOS.add_with("before", "while")
def several_processes_call_on_one_connection(connected: str) -> Steps:
    with puppet("server") as server, puppet("client") as client:
        mptcp(client, server)
        yield from connecting(client, server, connected)
        child = share(client, server)
        recorded = yield
        assert moved(recorded, server) == (300, 15_000)
        if recorded.stats["backend"] in ("tp_btf", "fentry"):
            assert moved(recorded, client) == (10_000, 0)
            assert moved(recorded, child) == (5_000, 300)


@SCENARIOS.add_with("before", "while")
def two_subflows(connected: str) -> Steps:
    """Both carry data, and packets are lost: what MPTCP sends again is not what a process sent."""
    with ExitStack() as stack:
        here, there = stack.enter_context(hosts(2))
        client, server = (
            stack.enter_context(puppet(name, within=host.within))
            for name, host in (("client", here), ("server", there))
        )
        mptcp(client, server)
        add_path(here)
        if connected == "before":
            port = connect_twice(client, server, here, there)
            resent = resent_by(here, there)
        yield
        if connected == "while":
            resent = resent_by(here, there)
            port = connect_twice(client, server, here, there)
        sent = received = 0
        for number in range(100):
            if number == 50:
                there.ip("link", "set", "eth0", "down")
            sent += client.send("c", PIECE_BYTES)
            if number == 50:
                wait_for_retransmits(here, 2)
                there.ip("link", "set", "eth0", "up")
            received += server.receive("s", sent - received)
        assert min(sent_by_subflow(here)) > 0
        server.send("s", 777)
        client.receive("c", 777)
        close(client, server)
        resent = [now - before for now, before in zip(resent_by(here, there), resent, strict=True)]
        recorded = yield
        asked, served = recorded.one(pid=client.pid), recorded.one(pid=server.pid)
        opened = int(connected == "while")
        assert (asked.tx_bytes, asked.rx_bytes) == (sent + opened, 777 + opened)
        assert (served.tx_bytes, served.rx_bytes) == (777 + opened, received + opened)
        assert (asked.role, asked.peer_port) == ("client", port)
        assert (asked.peer_address, asked.local_address) == (there.address, here.address)
        assert (asked.connections, served.connections) == (opened, opened)
        assert [asked.retransmits, served.retransmits] == resent
        assert asked.retransmits > 0
        for address in (here.address, there.address, OTHER_ADDRESS):
            assert recorded.having(pid=None, local_address=address) == []


def add_path(host: Host) -> None:
    """Let connections from there have a second subflow, from another address."""
    host.ip("addr", "add", f"{OTHER_ADDRESS}/24", "dev", "eth0")
    host.ip("mptcp", "limits", "set", "subflows", "2")
    host.ip("mptcp", "endpoint", "add", OTHER_ADDRESS, "dev", "eth0", "subflow")


def connect_twice(client: Puppet, server: Puppet, here: Host, there: Host) -> int:
    """A connection with two subflows, on which a byte was moved each way; returns the port."""
    port = connect(client, server, there.address)
    client.send("c", 1)
    server.receive("s", 1)
    server.send("s", 1)
    client.receive("c", 1)
    deadline = time.monotonic() + SECONDS_TO_JOIN
    while there.statistic("MPJoinAckRx") < 1:
        assert time.monotonic() < deadline, "no second subflow"
        time.sleep(0.05)
    return port


def sent_by_subflow(host: Host) -> list[int]:
    """Bytes that each subflow of the host has sent."""
    listing = subprocess.run(
        [*host.within, "ss", "-tinH", "state", "established"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return [int(number) for number in re.findall(r"bytes_sent:(\d+)", listing)]


def resent_by(*machines: Host) -> list[int]:
    """Segments that each has sent again."""
    return [host.statistic("RetransSegs") for host in machines]


@pytest.mark.parametrize("name", SCENARIOS)
def test_mptcp(finished: Finished, name: str) -> None:
    finished.check(name)


def test_nothing_is_lost(finished: Finished) -> None:
    assert finished.recorded.losses == {}
    assert finished.recorded.stats["counters"]["mptcp_subflows"] == 0
