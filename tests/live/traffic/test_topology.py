"""Edges between machines on a switch are what was sent: each connection once, by whoever can tell.

The flows are those of one kernel, given to two nodes by address: as of two machines' agents, of
which neither knows who is at the other end.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebprof.agent.flows import FlowSums, Span, windows
from ebprof.agent.identities import Owner
from ebprof.bpf.traffic import TrafficSession
from ebprof.collector.query.graph import Edge
from ebprof.collector.query.selector import EVERYTHING
from ebprof.collector.query.times import Range
from ebprof.collector.query.topology import Topology, TopologyAnswer
from ebprof.collector.receive import records
from ebprof.collector.retention import Retention
from ebprof.traffic import backends
from ebprof.wire.flows import FlowWindow, encode
from tests import collector_extra, needed
from tests.live.traffic.hosts import Host, hosts
from tests.live.traffic.puppet import Puppet, exchange, puppet
from tests.stored import store

collector_extra.need()
DRAINS = 3
SLOT_BITS = 22
HOOK = "add chain inet nat out { type nat hook postrouting priority 100 ; }"


class Nodes:
    """What each node's agent would push. members: hosts by node."""

    def __init__(self, session: TrafficSession, members: dict[str, list[Host]]) -> None:
        self._session = session
        self._members = members
        self._sums = {name: FlowSums() for name in members}

    def drain(self) -> None:
        batch = self._session.drain()
        for name, machines in self._members.items():
            ours = [np.frombuffer(packed(one), np.uint8) for one in machines]
            local = batch.keys["local_address"][:, :4]
            chosen = np.any([(local == one).all(axis=1) for one in ours], axis=0)
            part = replace(batch, keys=batch.keys[chosen], counts=batch.counts[chosen])
            self._sums[name].add(replace(part, other=np.zeros_like(batch.other)))

    def windows(self, puppets: Mapping[str, Puppet]) -> Iterator[FlowWindow]:
        names = {one.pid: name for name, one in puppets.items()}
        end = time.time_ns()

        def owners_of(words: Any) -> list[Owner]:
            pids = (int(word) & ((1 << SLOT_BITS) - 1) for word in words)
            return [Owner(pid, names.get(pid, ""), names.get(pid, "")) for pid in pids]

        for name, sums in self._sums.items():
            yield from windows(sums, owners_of, Span(name, end - 10**10, end), {})


def packed(host: Host) -> bytes:
    return bytes(map(int, host.address.split(".")))


def masquerade(inner: Host, gateway: Host, beyond: Host) -> None:
    """Have the inner host's connections leave by the gateway, with its address."""
    gateway.set("net.ipv4.ip_forward", 1)
    gateway.set("net.ipv4.conf.all.send_redirects", 0)
    gateway.set("net.ipv4.conf.eth0.send_redirects", 0)
    inner.ip("route", "add", f"{beyond.address}/32", "via", gateway.address)
    refused = gateway.nft("add table inet nat", HOOK)
    if refused:
        pytest.skip(f"nft: {refused.splitlines()[0]}")
    assert gateway.nft(f"add rule inet nat out ip saddr {inner.address} masquerade") == ""


def ask(path: Path, made: Iterable[FlowWindow]) -> TopologyAnswer:
    now = time.time_ns() // 10**6
    messages = [records.of_flows(1, encode(one)).message() for one in made]
    with store(path) as one:
        one.write(path / "segment", *messages)
        within = Range(now - 60_000, now + 1)
        answer = one.request(Topology(EVERYTHING, within, "service", now, Retention()))
    assert isinstance(answer, TopologyAnswer), answer
    return answer


def sides(edge: Edge) -> list[tuple[int, int, int] | None]:
    seen = (edge.used, edge.client_side, edge.server_side)
    return [(one.tx_bytes, one.rx_bytes, one.connections) if one else None for one in seen]


def test_edges_are_what_was_sent_and_each_connection_is_there_once(tmp_path: Path) -> None:
    """Two services behind one address, and one whose address is translated, call two servers."""
    needed.skip_without("conntrack")
    if shutil.which("nft") is None:
        pytest.skip("nft: not installed")
    with ExitStack() as stack:
        near, far, inner = stack.enter_context(hosts(3))
        masquerade(inner, near, far)
        places = {"shop": near, "cron": near, "store": far, "vault": far, "box": inner}
        names = {
            name: stack.enter_context(puppet(name, within=host.within))
            for name, host in places.items()
        }
        shop, cron, database, vault, box = names.values()
        _, session = backends.open_session(None)
        stack.enter_context(session)
        session.start()
        nodes = Nodes(session, {"n1": [near, inner], "n2": [far]})
        port = database.listen("listener", far.address)
        own = vault.listen("listener", far.address)
        for number in (1, 2, 3):
            exchange(shop, database, (far.address, port), 10_000 * number, 7)
            exchange(cron, database, (far.address, port), 11, 5_000 * number)
            exchange(box, database, (far.address, port), 13 * number, 17)
            exchange(box, vault, (far.address, own), 20_000, 19 * number)
            nodes.drain()
        for _ in range(DRAINS):
            nodes.drain()
        answer = ask(tmp_path, nodes.windows(names))

    found = {(one.client.name, one.server.name): one for one in answer.edges}
    assert set(found) == {
        ("shop", "store"),
        ("cron", "store"),
        ("box", "store"),
        ("box", "vault"),
        ("~shared", "store"),
    }
    assert sides(found["shop", "store"]) == [(60_000, 21, 3), (60_000, 21, 3), None]
    assert sides(found["cron", "store"]) == [(33, 30_000, 3), (33, 30_000, 3), None]
    assert sides(found["box", "store"]) == [(78, 51, 3), (78, 51, 3), None]
    assert sides(found["box", "vault"]) == [(60_000, 114, 3)] * 3
    assert found["box", "vault"].is_apart
    all_of_store = (60_000 + 33 + 78, 21 + 30_000 + 51, 9)
    assert sides(found["~shared", "store"]) == [all_of_store, None, all_of_store]
    assert [one.client.name for one in answer.edges if not one.is_counted] == ["~shared"]
    assert [one.differs for one in answer.edges] == [0] * 5
    total = (answer.total.tx_bytes, answer.total.rx_bytes, answer.total.connections)
    assert total == (all_of_store[0] + 60_000, all_of_store[1] + 114, 12)
