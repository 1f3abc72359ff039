"""Whose the other end of a flow is, of connections as the kernel side has them."""

from __future__ import annotations

import numpy as np
import pytest

from ebprof.abi import PAIR, PAIR_KEY
from ebprof.traffic.peers import NOBODY, SEVERAL, Peers
from tests.unit.traffic.batches import CLIENT, SERVER, Array, key, packed

STARTED = 7


def word(pid: int) -> int:
    return STARTED << 32 | pid


def learned(*connections: tuple[int, int, int]) -> Peers:
    """Clients, servers and listeners by PID, from 10.0.0.1 to 10.0.0.2:80; 0: not known."""
    keys, pairs = np.zeros(len(connections), PAIR_KEY), np.zeros(len(connections), PAIR)
    keys["client_address"] = np.frombuffer(packed("10.0.0.1"), np.uint8)
    keys["server_address"] = np.frombuffer(packed("10.0.0.2"), np.uint8)
    keys["server_port"], keys["family"] = 80, 2
    keys["client_port"] = range(len(connections))
    for place, pids in enumerate(connections):
        words = (word(pid) if pid else 0 for pid in pids)
        pairs["client"][place], pairs["server"][place], pairs["listener"][place] = words
    peers = Peers()
    peers.learn(keys, pairs)
    return peers


def client(pid: int) -> Array:
    return key(pid, "10.0.0.2", "10.0.0.1", role=CLIENT, peer_port=80)


def server(pid: int) -> Array:
    return key(pid, "10.0.0.1", "10.0.0.2", role=SERVER, local_port=80)


def test_each_end_knows_the_other() -> None:
    peers = learned((1, 2, 9), (1, 2, 9))
    assert peers.of(np.concatenate([client(1), server(2)])).tolist() == [word(2), word(1)]


def test_a_listener_stands_for_who_has_not_called_yet() -> None:
    peers = learned((1, 0, 9))
    assert peers.of(np.concatenate([client(1), server(9)])).tolist() == [word(9), word(1)]


@pytest.mark.parametrize("flow", [client(3), server(1), key(1, "10.0.0.3", peer_port=80)])
def test_of_others_nobody_is_known(flow: Array) -> None:
    assert learned((1, 2, 0)).of(flow).tolist() == [NOBODY]


def test_a_server_of_several() -> None:
    peers = learned((1, 2, 0), (3, 2, 0), (3, 0, 0))
    assert peers.of(server(2)).tolist() == [SEVERAL]
    assert peers.of(np.concatenate([client(1), client(3)])).tolist() == [word(2), word(2)]


def test_without_connections() -> None:
    assert learned().of(client(1)).tolist() == [NOBODY]
    assert learned((1, 2, 0)).of(np.zeros(0, client(1).dtype)).tolist() == []
