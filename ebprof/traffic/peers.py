"""Whose the other end of a flow is, where both ends are on this machine."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import FLOW_KEY
from ebprof.index import UNKNOWN, KeyIndex

NOBODY, SEVERAL = np.uint64(0), np.uint64(2**64 - 1)
"""In place of a process: none is known; connections of one flow that differ in it."""
_WORDS = FLOW_KEY.itemsize // 8


class Peers:
    """The processes at the other ends of flows, as the last connections have them."""

    def __init__(self) -> None:
        self._ends = KeyIndex(_WORDS)
        self._others = np.zeros(0, np.uint64)
        self._multipliers = np.frombuffer(os.urandom(8 * _WORDS), np.uint64) | np.uint64(1)

    def learn(self, keys: NDArray[Any], pairs: NDArray[Any]) -> None:
        """Know these connections and no others: PAIR_KEY[n], PAIR[n]."""
        servers = np.where(pairs["server"] != NOBODY, pairs["server"], pairs["listener"])
        is_pair = (pairs["client"] != NOBODY) & (servers != NOBODY)
        keys, clients, servers = keys[is_pair], pairs["client"][is_pair], servers[is_pair]
        ends = np.concatenate([_ends(keys, clients, "client"), _ends(keys, servers, "server")])
        others = np.concatenate([servers, clients])
        words = ends.view(np.uint64).reshape(-1, _WORDS)
        # By a hash, as keys of 64 bytes take 20 times as long to sort; seeded, so that two of the
        # at most 32,768 that it takes for one are not to be expected.
        hashes = (words * self._multipliers).sum(axis=1, dtype=np.uint64)
        _, first, numbers = np.unique(hashes, return_index=True, return_inverse=True)
        self._ends = KeyIndex(_WORDS)
        self._ends.add(words[first])
        self._others = others[first]
        self._others[numbers[others != self._others[numbers]]] = SEVERAL

    def of(self, keys: NDArray[Any]) -> NDArray[np.uint64]:
        """Of FLOW_KEY[n] the other ends' processes as words, NOBODY or SEVERAL; uint64[n]."""
        found = self._ends.find(np.ascontiguousarray(keys).view(np.uint64).reshape(-1, _WORDS))
        others = np.full(len(keys), NOBODY)
        is_known = found != UNKNOWN
        others[is_known] = self._others[found[is_known]]
        return others


def _ends(keys: NDArray[Any], processes: NDArray[Any], end: str) -> NDArray[Any]:
    """FLOW_KEY[n] of one end of each connection."""
    other = "server" if end == "client" else "client"
    ends = np.zeros(len(keys), FLOW_KEY)
    ends["process"]["number"] = processes & np.uint64(0xFFFFFFFF)
    ends["process"]["start"] = processes >> np.uint64(32)
    ends["local_address"], ends["peer_address"] = keys[f"{end}_address"], keys[f"{other}_address"]
    ends["peer_port" if end == "client" else "local_port"] = keys["server_port"]
    ends["family"] = keys["family"]
    ends["role"] = lib.ROLE_CLIENT if end == "client" else lib.ROLE_SERVER
    return ends
