"""Network namespaces as several hosts: who talks to whom, and who is the unknown caller."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.live.traffic.hosts import hosts
from tests.live.traffic.puppet import exchange, puppet
from tests.live.traffic.recorded import recording

QUIET_PAUSE = 0.1


@pytest.mark.parametrize("family", [4, 6])
def test_hosts_on_a_switch(backend: str, family: int) -> None:
    check_hosts_on_a_switch(family, backend)


def check_hosts_on_a_switch(family: int, backend: str, module: str = "ebprof") -> None:
    """Three hosts: what two clients and their server move is seen at either end, to the byte."""
    with ExitStack() as stack:
        machines = stack.enter_context(hosts(3))
        addresses = [one.address if family == 4 else one.address6 for one in machines]
        server, *clients = (
            stack.enter_context(puppet(f"host{number}", within=machine.within))
            for number, machine in enumerate(machines)
        )
        running = stack.enter_context(recording(backend, module=module))
        port = server.listen("listener", "::")
        for number, client in enumerate(clients, start=1):
            exchange(client, server, (addresses[0], port), 1_000 * number, number)
        recorded = running.stop()
    for number, client in enumerate(clients, start=1):
        asked = recorded.one(pid=client.pid)
        assert (asked.tx_bytes, asked.rx_bytes) == (1_000 * number, number)
        assert (asked.local_address, asked.peer_address) == (addresses[number], addresses[0])
        served = recorded.one(pid=server.pid, peer_address=addresses[number])
        assert (served.tx_bytes, served.rx_bytes) == (number, 1_000 * number)
        assert (asked.family, served.family) == (family, family)
        assert (asked.role, served.role) == ("client", "server")
        assert (served.local_port, served.connections, served.closed) == (port, 1, 1)


def test_one_command_names_the_unknown_caller(backend: str) -> None:
    with ExitStack() as stack:
        machines = stack.enter_context(hosts(4))
        server, *clients = (
            stack.enter_context(puppet(f"host{number}", within=machine.within))
            for number, machine in enumerate(machines)
        )
        port = server.listen("listener", machines[0].address)
        server.serve("listener")
        for client in clients:
            client.connect("c", machines[0].address, port)
        clients[0].flood("c", 200, QUIET_PAUSE)
        clients[1].flood("c", 60_000)
        clients[2].flood("c", 300, QUIET_PAUSE)
        options = ("--to", f":{port}", "--by", "peer", "-d", 2)
        recorded = stack.enter_context(recording(backend, *options)).wait()
    callers = {machine.address for machine in machines[1:]}
    received = {flow.peer_address: flow.rx_bytes for flow in recorded.flows}
    assert callers <= set(received) <= {machines[0].address, *callers}
    named = max(callers, key=lambda caller: received[caller])
    assert named == machines[2].address
    assert received[named] > 100 * sum(received[caller] for caller in callers - {named})
