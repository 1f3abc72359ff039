"""Processes that become other programs, or go on without their first thread."""

from __future__ import annotations

import time

import pytest

from tests.live.traffic.pairs import connect, connecting, moved
from tests.live.traffic.puppet import Puppet, puppet
from tests.live.traffic.recorded import Recorded
from tests.live.traffic.scenarios import Finished, Scenarios, Steps

SCENARIOS = Scenarios()
SECONDS_TO_SETTLE = 1.5
SECONDS_TO_CLAIM = 3.5


def moved_as(recorded: Recorded, process: Puppet, comm: str) -> tuple[int, int, str]:
    """Bytes that a process sent and received under a name, and its role."""
    flow = recorded.one(pid=process.pid, comm=comm)
    return flow.tx_bytes, flow.rx_bytes, flow.role


@SCENARIOS.add_with("before", "while")
def a_server_executes_another_program(connected: str) -> Steps:
    with puppet("first") as server, puppet("client") as client:
        yield from connecting(client, server, connected)
        client.send("c", 1_000)
        server.receive("s", 1_000)
        server.send("s", 30)
        server.execute("second")
        client.send("c", 500)
        server.receive("s", 500)
        server.send("s", 7)
        client.receive("c", 37)
        server.execute("third")
        server.send("s", 2)
        client.receive("c", 2)
        recorded = yield
        assert moved_as(recorded, server, "first") == (30, 1_000, "server")
        assert moved_as(recorded, server, "second") == (7, 500, "server")
        assert moved_as(recorded, server, "third") == (2, 0, "server")
        assert moved(recorded, client) == (1_500, 39)


@SCENARIOS.add_with("before", "while")
def a_connection_is_idle_when_its_owner_executes_another_program(connected: str) -> Steps:
    with puppet("first") as server, puppet("client") as client:
        yield from connecting(client, server, connected)
        client.send("c", 1_000)
        server.receive("s", 1_000)
        time.sleep(SECONDS_TO_SETTLE)
        server.execute("second")
        time.sleep(SECONDS_TO_SETTLE)
        server.execute("third")
        time.sleep(SECONDS_TO_SETTLE)
        client.close("c")
        server.close("s")
        recorded = yield
        first, third = (recorded.one(pid=server.pid, comm=name) for name in ("first", "third"))
        assert (first.rx_bytes, first.connections, first.closed) == (
            1_000,
            int(connected == "while"),
            0,
        )
        assert (third.rx_bytes, third.connections, third.closed) == (0, 0, 1)
        assert recorded.having(pid=server.pid, comm="second") == []


@SCENARIOS.add_with("called on", "accepted alone")
def a_connection_is_closed_right_after_its_owner_executed_another_program(used: str) -> Steps:
    """No drain is between; what moved before the exec stays the first program's."""
    yield
    with puppet("first") as server, puppet("client") as client:
        connect(client, server)
        client.send("c", 1_000)
        if used == "called on":
            server.receive("s", 1_000)
        server.execute("second")
        server.close("s")
        recorded = yield
        served = recorded.having(pid=server.pid)
        received = {flow.comm: flow.rx_bytes for flow in served if flow.rx_bytes}
        assert received == ({"first": 1_000} if used == "called on" else {})
        assert {flow.comm: flow.closed for flow in served if flow.closed} == {"second": 1}


@SCENARIOS.add
def a_listener_executes_another_program() -> Steps:
    """Connections on which nobody calls are those of the program that the listener is by then."""
    yield
    with puppet("first") as server, puppet("client") as client:
        port = server.listen("listener", "127.0.0.1")
        server.execute("second")
        client.connect("c", "127.0.0.1", port)
        time.sleep(SECONDS_TO_CLAIM)
        server.execute("third")
        time.sleep(SECONDS_TO_SETTLE)
        client.close("c")
        server.end()
        recorded = yield
        served = recorded.having(pid=server.pid)
        assert {flow.comm: flow.connections for flow in served if flow.connections} == {"second": 1}
        assert {flow.comm: flow.closed for flow in served if flow.closed} == {"third": 1}


@SCENARIOS.add
def a_child_executes_another_program_on_the_socket() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        client.send("c", 1_000)
        server.receive("s", 1_000)
        child = server.fork()
        server.close("s")
        child.send("s", 5)
        child.execute("worker")
        client.send("c", 200)
        child.receive("s", 200)
        child.send("s", 11)
        client.receive("c", 16)
        child.end()
        recorded = yield
        assert moved(recorded, server) == (0, 1_000)
        assert moved_as(recorded, child, "server") == (5, 0, "server")
        assert moved_as(recorded, child, "worker") == (11, 200, "server")


@SCENARIOS.add
def a_manager_listens_for_the_program_that_it_starts() -> Steps:
    yield
    with puppet("manager") as manager, puppet("client") as client:
        port = manager.listen("listener", "127.0.0.1")
        service = manager.fork()
        service.execute("service")
        client.connect("c", "127.0.0.1", port)
        service.accept("s", "listener")
        client.send("c", 400)
        service.receive("s", 400)
        service.send("s", 9)
        client.receive("c", 9)
        service.end()
        recorded = yield
        flow = recorded.one(role="server", local_port=port)
        assert (flow.pid, flow.comm) == (service.pid, "service")
        assert (flow.tx_bytes, flow.rx_bytes, flow.connections) == (9, 400, 1)


@SCENARIOS.add_with("before", "while")
def the_first_thread_has_ended(connected: str) -> Steps:
    with puppet("server") as server, puppet("client") as client:
        server.end_first_thread()
        yield from connecting(client, server, connected)
        client.send("c", 100)
        server.receive("s", 100)
        recorded = yield
        flow = recorded.one(pid=server.pid)
        assert (flow.comm, flow.role, flow.rx_bytes) == ("server", "server", 100)
        assert flow.cgroup == recorded.one(pid=client.pid).cgroup


@pytest.mark.parametrize("name", SCENARIOS)
def test_programs(finished: Finished, name: str) -> None:
    finished.check(name)
