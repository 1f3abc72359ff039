"""A host's firewall gives the server another address and port: one command finds both ends."""

from __future__ import annotations

import shutil
from contextlib import ExitStack

import pytest

from tests import needed
from tests.live.traffic.hosts import Host, hosts
from tests.live.traffic.puppet import exchange, puppet
from tests.live.traffic.recorded import UNTIL_STOPPED, Recorded, recording

ASKED_PORT = 8088
HOOKS = (
    "add table inet nat",
    "add chain inet nat in { type nat hook prerouting priority -100 ; }",
    "add chain inet nat out { type nat hook postrouting priority 100 ; }",
)


def publish(gateway: Host, server: Host, port: int) -> None:
    """As a container's port is: the server sees the gateway in place of the client."""
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        gateway.set(name, 1)
    refused = gateway.nft(*HOOKS)
    if refused:
        pytest.skip(f"nft: {refused.splitlines()[0]}")
    for ip, asked, there in (
        ("ip", gateway.address, f"{server.address}:{port}"),
        ("ip6", gateway.address6, f"[{server.address6}]:{port}"),
    ):
        rule = f"{ip} daddr {asked} tcp dport {ASKED_PORT} dnat {ip} to {there}"
        assert gateway.nft(f"add rule inet nat in {rule}") == ""
    assert gateway.nft("add rule inet nat out masquerade") == ""


def test_one_command_finds_both_ends(backend: str) -> None:
    needed.skip_without("conntrack")
    if shutil.which("nft") is None:
        pytest.skip("nft: not installed")
    with ExitStack() as stack:
        caller, gateway, serving, other = stack.enter_context(hosts(4))
        client, server, stranger = (
            stack.enter_context(puppet(name, within=machine.within))
            for name, machine in (("c", caller), ("s", serving), ("o", other))
        )
        port = server.listen("listener", "::")
        publish(gateway, serving, port)
        ways = [
            stack.enter_context(recording(backend, "--to", end, *UNTIL_STOPPED))
            for end in (f":{ASKED_PORT}", f"{gateway.address}:{ASKED_PORT}", serving.address)
        ]
        for number, (who, address, asked) in enumerate(
            [
                (client, gateway.address, ASKED_PORT),
                (client, gateway.address6, ASKED_PORT),
                (stranger, serving.address, port),
            ],
            start=1,
        ):
            exchange(who, server, (address, asked), 1_000 * number, number)
        by_port, by_asked, by_own = (one.stop() for one in ways)

    ends = {4: [machine.address for machine in (caller, gateway, serving)]}
    ends[6] = [machine.address6 for machine in (caller, gateway, serving)]
    pids = (client.pid, server.pid)
    check_ends(by_port, pids, port, 1_000, 1, ends[4])
    check_ends(by_port, pids, port, 2_000, 2, ends[6])
    check_ends(by_asked, pids, port, 1_000, 1, ends[4])
    check_ends(by_own, pids, port, 1_000, 1, ends[4])
    assert len(by_port.flows) == 4
    assert len(by_asked.flows) == 2
    assert {flow.pid for flow in by_own.flows} == {*pids, stranger.pid}
    direct = by_own.one(pid=stranger.pid)
    assert (direct.tx_bytes, direct.nat_peer_address, direct.nat_local_address) == (
        3_000,
        None,
        None,
    )
    for one in (by_port, by_asked, by_own):
        assert one.losses == {}
        assert (one.stats["counters"]["nat_full"], one.stats["failures"]) == (0, {})


def check_ends(
    recorded: Recorded,
    pids: tuple[int, int],
    port: int,
    sent: int,
    answered: int,
    ends: list[str],
) -> None:
    """A row for the client and one for the server, to the byte, each with the other's addresses.

    Those may be missing where ebprof says that it looked too late, as on an emulated machine.
    """
    caller, gateway, serving = ends
    asked = recorded.one(pid=pids[0], peer_address=gateway)
    assert (asked.tx_bytes, asked.rx_bytes, asked.role) == (sent, answered, "client")
    assert (asked.local_address, asked.peer_port) == (caller, ASKED_PORT)
    served = recorded.one(pid=pids[1], peer_address=gateway)
    assert (served.tx_bytes, served.rx_bytes, served.role) == (answered, sent, "server")
    assert (served.local_address, served.local_port) == (serving, port)
    if recorded.stats["counters"]["nat_late"] and asked.nat_peer_address is None:
        return
    assert (asked.nat_peer_address, asked.nat_peer_port) == (serving, port)
    assert (asked.nat_local_address, asked.nat_local_port) == (gateway, None)
    assert (served.nat_local_address, served.nat_local_port) == (gateway, ASKED_PORT)
    assert (served.nat_peer_address, served.nat_peer_port) == (caller, None)
