"""A map of flows that is full moves flows to `~other`: what is counted stays exact."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ebprof._native import lib
from ebprof.bpf.traffic import FlowBatch, TrafficPrograms, TrafficSession
from ebprof.traffic.backends import all_backends

ROOM = 4
PEERS = 40
SENT = 1_000


@pytest.fixture
def programs(backend: str) -> TrafficPrograms:
    (found,) = (one for one in all_backends() if one.name == backend)
    return found.programs


@contextmanager
def counting(programs: TrafficPrograms, room: int = lib.MAX_FLOWS) -> Iterator[TrafficSession]:
    with TrafficSession(programs, max_flows=room) as session:
        session.start()
        yield session


def talk_to_many(port: int, server: socket.socket) -> None:
    """A connection to each of PEERS addresses of this machine, SENT bytes on each."""
    for number in range(PEERS):
        with socket.create_connection((f"127.9.0.{number + 1}", port)) as client:
            client.sendall(b"x" * SENT)
            accepted, _ = server.accept()
            with accepted:
                assert len(accepted.recv(SENT, socket.MSG_WAITALL)) == SENT


def total(batch: FlowBatch, name: str) -> int:
    return int(batch.counts[name].sum() + batch.other[name].sum())


def test_what_found_no_room_is_counted_as_other(programs: TrafficPrograms) -> None:
    """The machine's other connections are counted too: by one that began before and ended after,
    and by one that began after and ended before, both with room for all."""
    with (
        counting(programs) as wider,
        counting(programs, ROOM) as session,
        counting(programs) as narrower,
    ):
        with socket.create_server(("0.0.0.0", 0)) as server:
            talk_to_many(server.getsockname()[1], server)
        least, found, most = narrower.drain(), session.drain(), wider.drain()
        assert session.counters()["overflowed"] > 0
        assert session.counters()["untracked"] == 0
    assert len(found.keys) <= ROOM
    assert int(found.other["tx_bytes"][0]) > 0
    for name, ours in {
        "tx_bytes": PEERS * SENT,
        "rx_bytes": PEERS * SENT,
        "opened": 2 * PEERS,  # both ends are here
        "closed": 2 * PEERS,
    }.items():
        assert ours <= total(least, name) <= total(found, name) <= total(most, name)


def test_after_a_drain_there_is_room_again(programs: TrafficPrograms) -> None:
    with counting(programs, ROOM) as session, socket.create_server(("0.0.0.0", 0)) as server:
        for _ in range(3):
            talk_to_many(server.getsockname()[1], server)
            assert len(session.drain().keys) == ROOM
