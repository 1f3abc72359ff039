"""Roles, whoever else listens on the same port."""

from __future__ import annotations

import time

import pytest

from tests.live.traffic.hosts import hosts
from tests.live.traffic.pairs import connect
from tests.live.traffic.puppet import Puppet, puppet
from tests.live.traffic.recorded import Recorded
from tests.live.traffic.scenarios import Finished, Scenarios, Steps

SCENARIOS = Scenarios()
SECONDS_TO_CLAIM = 4


def move(client: Puppet, server: Puppet) -> None:
    """300 bytes to the server's "s", 20 back to the client's "c"."""
    client.send("c", 300)
    server.receive("s", 300)
    server.send("s", 20)
    client.receive("c", 20)


def check(recorded: Recorded, client: Puppet, server: Puppet, port: int) -> None:
    """Both ends have their role; the server is on this port."""
    asked = recorded.one(pid=client.pid, peer_port=port)
    assert (asked.role, asked.tx_bytes, asked.rx_bytes) == ("client", 300, 20)
    served = recorded.one(pid=server.pid, local_port=port)
    assert (served.role, served.tx_bytes, served.rx_bytes) == ("server", 20, 300)


# Where somebody listens on the client's port, the address that the client is bound to there, and
# options of both sockets.
OTHERS = {
    "another_address": ("127.0.0.2", "127.0.0.1", {}),
    "any_address": ("0.0.0.0", "127.0.0.1", {"reuse_port": 1}),
    "the_same_address": ("127.0.0.1", "127.0.0.1", {"reuse_port": 1}),
    "both_families": ("::", "127.0.0.1", {"reuse_port": 1}),
    "mapped_address": ("::", "::ffff:127.0.0.1", {"reuse_port": 1}),
    "the_other_family_alone": ("::", "127.0.0.1", {"v6_only": 1}),
    "the_other_family_alone_mapped": ("::", "::ffff:127.0.0.1", {"v6_only": 1}),
}


@SCENARIOS.add_with(*OTHERS)
def somebody_listens_on_the_clients_port(where: str) -> Steps:
    address, source, options = OTHERS[where]
    with puppet("other") as other, puppet("server") as server, puppet("client") as client:
        taken = other.listen_with("listener", address, **options)
        port = server.listen("listener", "127.0.0.1")
        family = "::ffff:127.0.0.1" if ":" in source else "127.0.0.1"
        of_client = {} if "v6_only" in options else options
        client.connect_from("c", (source, taken), family, port, **of_client)
        server.accept("s", "listener")
        yield
        move(client, server)
        check((yield), client, server, port)


@SCENARIOS.add
def somebody_listens_on_the_clients_port_in_another_network() -> Steps:
    with (
        hosts(2) as (here, there),
        puppet("other", within=there.within) as other,
        puppet("server", within=there.within) as server,
        puppet("client", within=here.within) as client,
    ):
        taken = other.listen("listener", "0.0.0.0")
        port = server.listen("listener", there.address)
        client.connect_from("c", (here.address, taken), there.address, port)
        server.accept("s", "listener")
        yield
        move(client, server)
        check((yield), client, server, port)


@SCENARIOS.add_with("127.0.0.1", "::ffff:127.0.0.1", "::1")
def the_listener_was_closed_before(address: str) -> Steps:
    with puppet("server") as server, puppet("client") as client:
        port = connect(client, server, address)
        server.close("listener")
        yield
        move(client, server)
        check((yield), client, server, port)


@SCENARIOS.add_with("0.0.0.0", "::")
def a_listener_on_any_address(address: str) -> Steps:
    with puppet("server") as server, puppet("client") as client:
        port = server.listen("listener", address)
        client.connect("c", "127.0.0.1", port)
        server.accept("s", "listener")
        yield
        move(client, server)
        check((yield), client, server, port)


@SCENARIOS.add_with("127.0.0.1", "0.0.0.0", "::")
def a_listener_without_backlog(address: str) -> Steps:
    with puppet("server") as server, puppet("client") as client:
        port = server.listen_with("listener", address, backlog=0)
        client.connect("c", "127.0.0.1", port)
        server.accept("s", "listener")
        yield
        move(client, server)
        check((yield), client, server, port)


@SCENARIOS.add
def one_port_and_a_process_for_each_family() -> Steps:
    with puppet("four") as four, puppet("six") as six, puppet("client") as client:
        port = four.listen("listener", "0.0.0.0")
        six.listen_with("listener", "::", port, v6_only=1)
        yield
        for server, address in ((four, "127.0.0.1"), (six, "::1")):
            client.connect(address, address, port)
            server.accept("s", "listener")
        time.sleep(SECONDS_TO_CLAIM)
        recorded = yield
        for server, family in ((four, 4), (six, 6)):
            served = recorded.one(role="server", local_port=port, family=family)
            assert (served.pid, served.connections) == (server.pid, 1)


@SCENARIOS.add
def several_sockets_listen_there() -> Steps:
    """Which one an idle connection came from cannot be told; who calls on it, has it."""
    with puppet("one") as one, puppet("two") as two, puppet("client") as client:
        port = one.listen_with("listener", "127.0.0.1", reuse_port=1)
        two.listen_with("listener", "127.0.0.1", port, reuse_port=1)
        yield
        one.close("listener")
        one.listen_with("listener", "127.0.0.1", port, reuse_port=1)
        client.connect("idle", "127.0.0.1", port)
        time.sleep(SECONDS_TO_CLAIM)
        recorded = yield
        served = recorded.one(role="server", local_port=port)
        assert (served.pid, served.comm, served.connections) == (None, None, 1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_roles(finished: Finished, name: str) -> None:
    finished.check(name)
