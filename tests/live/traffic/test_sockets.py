"""Sockets that existed before, that have several owners, or whose owner is gone."""

from __future__ import annotations

import time

import pytest

from tests.live.traffic.pairs import ADDRESSES, connect, connecting, moved, share
from tests.live.traffic.puppet import Puppet, StepError, puppet
from tests.live.traffic.recorded import recording
from tests.live.traffic.scenarios import Finished, Scenarios, Steps
from tests.live.traffic.transfers import Way, transfer

SHORT_INTERVAL = 0.1
SCENARIOS = Scenarios()


@SCENARIOS.add_with(*ADDRESSES)
def sockets_that_existed_before(address: str) -> Steps:
    with puppet("server") as server, puppet("client") as client:
        port = connect(client, server, address)
        client.send("c", 100_000)
        server.receive("s", 60_000)
        yield
        client.send("c", 1_234)
        server.receive("s", 40_000 + 1_234)
        server.send("s", 777)
        client.receive("c", 777)
        recorded = yield
        served = recorded.one(pid=server.pid)
        assert (served.tx_bytes, served.rx_bytes) == (777, 41_234)
        assert (served.role, served.local_port, served.comm) == ("server", port, "server")
        assert (served.connections, served.closed) == (0, 0)
        asked = recorded.one(pid=client.pid)
        assert (asked.tx_bytes, asked.rx_bytes) == (1_234, 777)
        assert (asked.role, asked.peer_port, asked.comm) == ("client", port, "client")


@SCENARIOS.add
def a_listener_that_existed_before() -> Steps:
    with puppet("server") as server, puppet("client") as client:
        port = server.listen("listener", "::")
        yield
        client.connect("c", "127.0.0.1", port)
        server.accept("s", "listener")
        client.send("c", 500)
        server.receive("s", 500)
        recorded = yield
        served = recorded.one(pid=server.pid)
        assert (served.role, served.local_port, served.rx_bytes) == ("server", port, 500)
        assert served.connections == 1


@SCENARIOS.add
def what_moved_before_does_not_count() -> Steps:
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        client.send("c", 5_000)
        server.receive("s", 5_000)
        yield
        client.close("c")
        server.receive("s", 1)
        server.close("s")
        recorded = yield
        assert moved(recorded, client) == (0, 0)
        assert moved(recorded, server) == (0, 0)


@SCENARIOS.add_with("before", "while")
def parent_and_child_share_a_socket(connected: str) -> Steps:
    with puppet("server") as server, puppet("parent") as parent:
        yield from connecting(parent, server, connected)
        child = share(parent, server)
        parent.send("c", 7)
        server.receive("s", 7)
        recorded = yield
        assert moved(recorded, parent) == (10_007, 0)
        assert moved(recorded, child) == (5_000, 300)
        assert moved(recorded, server) == (300, 15_007)


@SCENARIOS.add_with("before", "while")
def a_socket_is_passed_to_another_process(connected: str) -> Steps:
    with puppet("server") as server, puppet("giver") as giver, puppet("taker") as taker:
        yield from connecting(giver, server, connected)
        giver.send("c", 100)
        giver.pass_to(taker, "c")
        giver.close("c")
        taker.send("c", 2_000)
        server.receive("s", 2_100)
        server.send("s", 40)
        taker.receive("c", 40)
        taker.close("c")
        assert server.receive("s", 1) == 0
        recorded = yield
        assert moved(recorded, giver) == (100, 0)
        assert moved(recorded, taker) == (2_000, 40)
        assert moved(recorded, server) == (40, 2_100)
        port = recorded.one(pid=server.pid).local_port
        flows = recorded.having(role="client", peer_port=port)
        assert sum(flow.closed for flow in flows) == 1


@SCENARIOS.add
def the_owner_exits_while_the_kernel_still_sends() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        port = connect(client, server)
        sent = client.fill("c")
        client.end()
        received = server.receive("s", 1 << 30)
        recorded = yield
        assert sent == received > 100_000
        flow = recorded.one(pid=client.pid)
        assert (flow.tx_bytes, flow.rx_bytes, flow.closed) == (sent, 0, 1)
        assert (flow.comm, flow.peer_port) == ("client", port)
        assert moved(recorded, server) == (0, received)


@SCENARIOS.add
def unread_and_peeked_bytes_do_not_count() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        client.send("c", 1_000)
        assert server.peek("s", 1_000) == 1_000
        server.receive("s", 100)
        assert server.peek("s", 900) == 900
        server.close("s")
        with pytest.raises(StepError, match="ECONNRESET"):
            client.receive("c", 1)
        recorded = yield
        assert moved(recorded, server) == (0, 100)
        assert moved(recorded, client) == (1_000, 0)
        assert recorded.one(pid=client.pid).connections == 1


@SCENARIOS.add
def a_send_that_fails_does_not_count() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        client.send("c", 10)
        client.shutdown("c")
        with pytest.raises(StepError, match="EPIPE"):
            client.send("c", 1_000)
        assert server.receive("s", 100) == 10
        recorded = yield
        assert moved(recorded, client) == (10, 0)
        assert moved(recorded, server) == (0, 10)
        assert recorded.one(pid=client.pid).tx_calls == 1


@SCENARIOS.add
def a_connection_that_nobody_accepts() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        port = server.listen("listener", "127.0.0.1")
        client.connect("c", "127.0.0.1", port)
        client.send("c", 3_000)
        recorded = yield
        assert moved(recorded, client) == (3_000, 0)
        assert moved(recorded, server) == (0, 0)
        assert recorded.one(pid=client.pid).connections == 1


@SCENARIOS.add
def a_connection_outlives_its_listener() -> Steps:
    with puppet("server") as server, puppet("client") as client:
        yield
        connect(client, server)
        server.close("listener")
        client.send("c", 100)
        server.receive("s", 100)
        recorded = yield
        flow = recorded.one(pid=server.pid)
        assert (flow.role, flow.rx_bytes) == ("server", 100)


@SCENARIOS.add
def a_server_forks_for_each_connection() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        port = server.listen("listener", "127.0.0.1")
        children = [serve_in_child(server, client, port, number) for number in range(1, 6)]
        recorded = yield
        for number, child in enumerate(children, start=1):
            assert moved(recorded, child) == (number, 100 * number)
        assert moved(recorded, server) == (0, 0)
        served = recorded.having(role="server", local_port=port)
        assert sum(flow.connections for flow in served) == 5
        assert sum(flow.closed for flow in served) == 5
        asked = recorded.one(pid=client.pid)
        assert (asked.tx_bytes, asked.rx_bytes, asked.connections) == (1_500, 15, 5)


def serve_in_child(server: Puppet, client: Puppet, port: int, number: int) -> Puppet:
    """A connection that a child of the server serves: 100 * number bytes there, number back."""
    client.connect("c", "127.0.0.1", port)
    server.accept("s", "listener")
    child = server.fork()
    server.close("s")
    client.send("c", 100 * number)
    child.receive("s", 100 * number)
    child.send("s", number)
    client.receive("c", number)
    child.end()
    assert client.receive("c", 1) == 0
    client.close("c")
    return child


@SCENARIOS.add
def workers_accept_on_their_parents_listener() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        port = server.listen("listener", "127.0.0.1")
        workers = [server.fork() for _ in range(3)]
        for turn in range(6):
            worker = workers[turn % 3]
            client.connect("c", "127.0.0.1", port)
            worker.accept("s", "listener")
            client.send("c", 10 + turn)
            worker.receive("s", 10 + turn)
            client.close("c")
            assert worker.receive("s", 1) == 0
            worker.close("s")
        recorded = yield
        for number, worker in enumerate(workers):
            flow = recorded.one(pid=worker.pid)
            assert (flow.tx_bytes, flow.rx_bytes) == (0, 20 + 2 * number + 3)
            assert (flow.role, flow.local_port, flow.connections) == ("server", port, 2)
        assert moved(recorded, server) == (0, 0)


@pytest.mark.parametrize("name", SCENARIOS)
def test_sockets(finished: Finished, name: str) -> None:
    finished.check(name)


def test_intervals_have_what_moved_in_them(backend: str) -> None:
    with (
        puppet("server") as server,
        puppet("client") as client,
        recording(backend, "-d", 86400, 1) as running,
    ):
        connect(client, server)
        client.send("c", 1_000)
        server.receive("s", 1_000)
        time.sleep(2.5)
        client.send("c", 2_000)
        server.receive("s", 2_000)
        recorded = running.stop()
    sent = [flow for flow in recorded.having(pid=client.pid) if flow.tx_bytes]
    received = [flow for flow in recorded.having(pid=server.pid) if flow.rx_bytes]
    assert [flow.tx_bytes for flow in sent] == [1_000, 2_000]
    assert [flow.rx_bytes for flow in received] == [1_000, 2_000]
    assert sent[0].time != sent[1].time


def test_nothing_is_lost_between_short_intervals(backend: str) -> None:
    """Counts are taken away while both processes add to them."""
    client = Way("duplex", "recv", 40_000_003, 97)
    server = Way("duplex", "recv", 20_000_011, 101)
    with recording(backend, "-d", 86400, SHORT_INTERVAL) as running:
        done = transfer("127.0.0.1", client, server)
        recorded = running.stop()
    for end in (done.client, done.server):
        flows = recorded.having(pid=end.pid)
        assert sum(flow.tx_bytes for flow in flows) == end.sent
        assert sum(flow.rx_bytes for flow in flows) == end.received
        assert sum(flow.tx_calls for flow in flows) == end.sent_calls
        assert sum(flow.rx_calls for flow in flows) == end.received_calls
        assert len(flows) >= 3
