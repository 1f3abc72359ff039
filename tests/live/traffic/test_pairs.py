"""Who is at the other end of a connection, where both ends are on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ebprof._native import lib
from ebprof.bpf.traffic import TrafficSession
from ebprof.traffic import backends
from tests.live.traffic.hosts import hosts
from tests.live.traffic.pairs import ADDRESSES, connect
from tests.live.traffic.puppet import Puppet, puppet

ROWS = ("tx_bytes", "rx_bytes", "opened", "closed")
Seen = dict[tuple[int, int], list[int]]
"""Counts of ROWS by the PIDs of a process and of the one at the other end."""
DRAINS = 3


class Pairing:
    """A session that tells flows apart by both ends."""

    def __init__(self, session: TrafficSession) -> None:
        self._session = session
        self.seen: Seen = {}

    def drain(self) -> None:
        batch = self._session.drain()
        for key, counts in zip(batch.keys, batch.counts, strict=True):
            pids = (int(key["process"]["number"]) & 0x3FFFFF, int(key["peer"]["number"]) & 0x3FFFFF)
            found = self.seen.setdefault(pids, [0] * len(ROWS))
            for place, name in enumerate(ROWS):
                found[place] += int(counts[name])

    def of(self, *pids: int) -> Seen:
        """What processes have counted, after some drains."""
        for _ in range(DRAINS):
            self.drain()
        return {pair: one for pair, one in self.seen.items() if pair[0] in pids and any(one)}


@contextmanager
def pairing(backend: str = "") -> Iterator[Pairing]:
    _, session = backends.open_session(backend or None, pairing=lib.PAIRING_APART)
    with session:
        session.start()
        yield Pairing(session)


@pytest.fixture(scope="module")
def found() -> Iterator[Pairing]:
    """One for all tests that come after it: each has processes of its own."""
    with pairing() as one:
        yield one


def exchange(client: Puppet, server: Puppet, sent: int, answered: int) -> None:
    client.send("c", sent)
    server.receive("s", sent)
    server.send("s", answered)
    client.receive("c", answered)


def end(client: Puppet, server: Puppet) -> None:
    client.close("c")
    assert server.receive("s", 1) == 0
    server.close("s")


@pytest.mark.parametrize("backend", ["", "states"])
def test_both_ends_name_each_other(backend: str) -> None:
    """Of connections by each address, of which some are there before anybody looks."""
    with ExitStack() as stack:

        def started(when: str) -> list[tuple[Puppet, Puppet]]:
            names = [(f"client-{when}", f"server-{when}") for _ in ADDRESSES]
            ends = [[stack.enter_context(puppet(one)) for one in pair] for pair in names]
            for (client, server), address in zip(ends, ADDRESSES, strict=True):
                connect(client, server, address)
            return [(client, server) for client, server in ends]

        before = started("before")
        found = stack.enter_context(pairing(backend))
        all_pairs = [*before, *started("while")]
        for client, server in all_pairs:
            exchange(client, server, 1000, 30)
            found.drain()
            exchange(client, server, 500, 7)
            end(client, server)
        expected: Seen = {}
        for number, (client, server) in enumerate(all_pairs):
            opened = int(number >= len(before))
            expected[client.pid, server.pid] = [1500, 37, opened, 1]
            expected[server.pid, client.pid] = [37, 1500, opened, 1]
        assert found.of(*(one.pid for pair in all_pairs for one in pair)) == expected


def test_callers_of_one_port_do_not_mix(found: Pairing) -> None:
    with puppet("server") as server, puppet("one") as one, puppet("two") as two:
        port = server.listen("listener", "127.0.0.1")
        for number in range(1, 6):
            for client, size in ((one, 1000), (two, 7)):
                client.connect("c", "127.0.0.1", port)
                server.accept("s", "listener")
                exchange(client, server, size, size * number)
                end(client, server)
        expected = {one.pid: [5000, 15_000, 5, 5], two.pid: [35, 105, 5, 5]}
        seen = found.of(one.pid, two.pid, server.pid)
        for pid, (sent, received, opened, closed) in expected.items():
            assert seen.pop((pid, server.pid)) == [sent, received, opened, closed]
            assert seen.pop((server.pid, pid)) == [received, sent, opened, closed]
        assert seen == {}


def test_services_behind_one_address_do_not_mix(found: Pairing) -> None:
    """Two processes listen on one port (SO_REUSEPORT), and one on the port after another."""
    with puppet("a") as a, puppet("b") as b, puppet("client") as client:
        port = a.listen_with("listener", "127.0.0.1", reuse_port=1)
        b.listen_with("listener", "127.0.0.1", port, reuse_port=1)
        sizes = {a: 0, b: 0}
        for number in range(1, 17):
            client.connect("c", "127.0.0.1", port)
            client.send("c", number)
            taker = who_accepts(a, b)
            taker.receive("s", number)
            sizes[taker] += number
            end(client, taker)
            found.drain()
        a.close("listener")
        b.close("listener")
        with puppet("next") as third:
            third.listen("listener", "127.0.0.1", port)
            client.connect("c", "127.0.0.1", port)
            third.accept("s", "listener")
            exchange(client, third, 99, 1)
            end(client, third)
            seen = found.of(client.pid)
            sizes[third] = 99
            assert {pair[1]: one[0] for pair, one in seen.items()} == {
                server.pid: size for server, size in sizes.items() if size
            }


def who_accepts(a: Puppet, b: Puppet) -> Puppet:
    """Which of two has the connection that waits."""
    for server in (a, b):
        if server.can_accept("listener"):
            server.accept("s", "listener")
            return server
    raise AssertionError("no connection waits")


def test_a_forked_worker_is_the_peer(found: Pairing) -> None:
    """The parent listens, a child accepts: the child is who the client talks to."""
    with puppet("parent") as parent, puppet("client") as client:
        port = parent.listen("listener", "127.0.0.1")
        child = parent.fork()
        client.connect("c", "127.0.0.1", port)
        child.accept("s", "listener")
        exchange(client, child, 1000, 30)
        end(client, child)
        assert found.of(client.pid, child.pid, parent.pid) == {
            (client.pid, child.pid): [1000, 30, 1, 1],
            (child.pid, client.pid): [30, 1000, 1, 1],
        }
        child.end()


def test_ends_in_two_namespaces_meet(found: Pairing) -> None:
    with (
        hosts(2) as (here, there),
        puppet("server", within=there.within) as server,
        puppet("client", within=here.within) as client,
    ):
        connect(client, server, there.address)
        exchange(client, server, 1000, 30)
        end(client, server)
        assert found.of(client.pid, server.pid) == {
            (client.pid, server.pid): [1000, 30, 1, 1],
            (server.pid, client.pid): [30, 1000, 1, 1],
        }


def test_loopbacks_of_two_namespaces_do_not_meet(found: Pairing) -> None:
    """The same addresses and ports, in two namespaces at once."""
    with (
        hosts(2) as (one, two),
        puppet("s1", within=one.within) as s1,
        puppet("s2", within=two.within) as s2,
        puppet("c1", within=one.within) as c1,
        puppet("c2", within=two.within) as c2,
    ):
        for server, client, size in ((s1, c1, 1000), (s2, c2, 7)):
            server.listen("listener", "127.0.0.1", 8080)
            client.connect_from("c", ("127.0.0.1", 40_000), "127.0.0.1", 8080)
            server.accept("s", "listener")
            exchange(client, server, size, 1)
        assert found.of(c1.pid, c2.pid, s1.pid, s2.pid) == {
            (c1.pid, s1.pid): [1000, 1, 1, 0],
            (s1.pid, c1.pid): [1, 1000, 1, 0],
            (c2.pid, s2.pid): [7, 1, 1, 0],
            (s2.pid, c2.pid): [1, 7, 1, 0],
        }
