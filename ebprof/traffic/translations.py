"""Both ends of connections whose addresses are translated on their way (NAT)."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import FLOW_KEY
from ebprof.index import UNKNOWN, KeyIndex
from ebprof.procfs import conntrack, networks
from ebprof.procfs.networks import Network
from ebprof.traffic.endpoint import key_family
from ebprof.walls import Notes, Walls

MAX_PAIRS = 65536
"""About 25 MB. Beyond it, those that conntrack no longer has are forgotten."""
MAX_NETWORKS = 1024
"""Namespaces that are asked at a time; and of so many processes, at most."""
READING_S = 1.0
"""When it takes longer, what is left waits; such namespaces come first the next time."""
SHARE = 0.1
"""Of a run's time that reading may take, and READING_S on top."""
_WORDS = FLOW_KEY.itemsize // 8
_GONE = (errno.ENOENT, errno.ESRCH, errno.EINVAL)  # EINVAL: a namespace of another kind


class Translations:
    """Pairs of flow keys, without processes, of the two ends of translated connections.

    A pair has the client's key and the server's, each with the addresses that its own socket has.
    It stands for all connections that agree in it, and stays when they have ended.
    walls: stand around what each namespace says.
    """

    def __init__(self, walls: Walls, max_pairs: int = MAX_PAIRS) -> None:
        self.late = 0
        """Times that there was no time to ask anew, or not all namespaces."""
        self.full = 0
        """Times that there were more translations than are kept."""
        self._walls = walls
        self._max_pairs = max_pairs
        self._notes = Notes()
        self._credit_s, self._credit_at = READING_S, time.monotonic()
        self._read_at: dict[int, float] = {}
        self._set_pairs(KeyIndex(2 * _WORDS))

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why something could not be read."""
        return tuple(self._notes)

    @property
    def clients(self) -> NDArray[Any]:
        """FLOW_KEY[pairs], as the clients' sockets have it."""
        return self._halves[:, 0]

    @property
    def servers(self) -> NDArray[Any]:
        """FLOW_KEY[pairs], as the servers' sockets have it."""
        return self._halves[:, 1]

    def read(self, pids: Iterable[int]) -> None:
        """Ask conntrack in the namespaces of some processes, and in those that find_networks adds.

        Connections that ended a moment ago are still there.
        """
        if not conntrack.is_tracking():
            return
        start = self._earn()
        if self._credit_s <= 0:
            self.late += 1
            return
        found = {one.number: one for one in networks.find_networks(pids)}
        longest_ago = sorted(found.values(), key=lambda one: self._read_at.get(one.number, 0.0))
        self._read_at = {number: self._read_at.get(number, 0.0) for number in found}
        self.learn(self._read_all(longest_ago[:MAX_NETWORKS], start + READING_S))
        self._credit_s -= time.monotonic() - start

    def learn(self, entries: NDArray[Any]) -> None:
        """Keep what conntrack.ENTRY[n] say."""
        words = _distinct(_pairs(entries))
        index = self._pairs
        new = words[index.find(words) == UNKNOWN]
        if len(index) + len(new) > self._max_pairs:
            self.full += len(words) > self._max_pairs
            index, new = KeyIndex(2 * _WORDS), words[: self._max_pairs]
        if len(new):
            index.add(new)
            self._set_pairs(index)

    def have(self, keys: NDArray[Any], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of FLOW_KEY[n] are an end of a wanted one of the pairs, bool[pairs]."""
        of_end = np.zeros(len(self._ends), np.bool_)
        for side in self._end_of_pair.T:
            of_end[side[wanted]] = True
        as_client, as_server = self._find(keys)
        found: NDArray[np.bool_] = _taken(of_end, as_client) | _taken(of_end, as_server)
        return found

    def other_ends(self, keys: NDArray[Any]) -> NDArray[Any]:
        """The other end's key of each of FLOW_KEY[n], seen from this end: local is still local.

        What is not known is 0, and so is that in which several of them differ.
        """
        as_client, as_server = self._find(keys)
        return _taken(self._others, np.where(as_client == UNKNOWN, as_server, as_client))

    def _earn(self) -> float:
        """Now, with the time that reading has left until now."""
        now = time.monotonic()
        self._credit_s = min(READING_S, self._credit_s + SHARE * (now - self._credit_at))
        self._credit_at = now
        return now

    def _read_all(self, found: list[Network], until: float) -> NDArray[Any]:
        """In a thread of its own: it ends in another network namespace than it began in."""
        with ThreadPoolExecutor(1) as pool:
            parts = pool.submit(lambda: list(self._read_each(found, until))).result()
        return np.concatenate([np.zeros(0, conntrack.ENTRY), *parts])

    def _read_each(self, found: list[Network], until: float) -> Iterator[NDArray[Any]]:
        for network in found:
            if time.monotonic() > until:
                self.late += 1
                return
            with self._walls.around(f"conntrack of {network.path}"):
                yield self._read_one(network, until)

    def _read_one(self, network: Network, until: float) -> NDArray[Any]:
        nothing = np.zeros(0, conntrack.ENTRY)
        try:
            networks.enter(network)
            self._read_at[network.number] = time.monotonic()
            if not conntrack.count_all():
                return nothing
            dump = conntrack.read_translated(self._max_pairs, until)
        except OSError as error:
            if error.errno not in _GONE:
                self._note(network, error)
            return nothing
        is_full = len(dump.entries) > self._max_pairs
        self.full += is_full
        self.late += dump.is_cut and not is_full
        return dump.entries

    def _note(self, network: Network, error: OSError) -> None:
        self._notes.add(
            f"cannot read conntrack by {network.path}: {error.strerror or error}: "
            "of connections that are translated there only one end may be found"
        )

    def _set_pairs(self, index: KeyIndex) -> None:
        self._pairs = index
        self._halves = index.keys.view(FLOW_KEY)
        ends = index.keys.reshape(-1, _WORDS)
        distinct, numbers = _numbered(ends)
        self._ends = KeyIndex(_WORDS)
        self._ends.add(distinct)
        self._end_of_pair = numbers.reshape(-1, 2)
        others = np.ascontiguousarray(self._halves[:, ::-1]).reshape(-1)
        self._others = _agreed(_turned(others), numbers, len(distinct))

    def _find(self, keys: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Numbers of ends that flows are as clients and as servers; int32[n], UNKNOWN for none."""
        as_client = self._ends.find(_end_words(keys, lib.ROLE_CLIENT, "local_port"))
        as_server = self._ends.find(_end_words(keys, lib.ROLE_SERVER, "peer_port"))
        as_client[keys["role"] == lib.ROLE_SERVER] = UNKNOWN
        as_server[keys["role"] == lib.ROLE_CLIENT] = UNKNOWN
        return as_client, as_server


def _pairs(entries: NDArray[Any]) -> NDArray[Any]:
    """FLOW_KEY[n, 2]: as everywhere, without the client's port."""
    pairs = np.zeros((len(entries), 2), FLOW_KEY)
    pairs["family"] = np.where(entries["ip"] == 6, key_family(6), key_family(4))[:, None]
    client, server = pairs[:, 0], pairs[:, 1]
    client["role"], server["role"] = lib.ROLE_CLIENT, lib.ROLE_SERVER
    client["local_address"] = entries["client"]
    client["peer_address"], client["peer_port"] = entries["asked"], entries["asked_port"]
    server["local_address"], server["local_port"] = entries["server"], entries["server_port"]
    server["peer_address"] = entries["seen"]
    return pairs


def _distinct(pairs: NDArray[Any]) -> NDArray[np.uint64]:
    distinct, _ = _numbered(pairs.view(np.uint64).reshape(-1, 2 * _WORDS))
    return distinct


def _numbered(words: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The distinct rows, and the number of each row among them."""
    whole = np.ascontiguousarray(words).view(f"V{8 * words.shape[1]}")[:, 0]
    _, first, numbers = np.unique(whole, return_index=True, return_inverse=True)
    return words[first], numbers


def _end_words(keys: NDArray[Any], role: int, ephemeral: str) -> NDArray[np.uint64]:
    ends = keys.copy()
    ends["process"], ends["peer"], ends["role"], ends[ephemeral] = 0, 0, role, 0
    return ends.view(np.uint64).reshape(-1, _WORDS)


def _turned(keys: NDArray[Any]) -> NDArray[Any]:
    turned = keys.copy()
    for what in ("address", "port"):
        turned[f"local_{what}"], turned[f"peer_{what}"] = (
            keys[f"peer_{what}"],
            keys[f"local_{what}"],
        )
    return turned


def _agreed(keys: NDArray[Any], numbers: NDArray[np.int64], count: int) -> NDArray[Any]:
    """FLOW_KEY[count]: of the keys of each number what they agree in, else 0."""
    agreed = np.zeros(count, FLOW_KEY)
    agreed[numbers] = keys
    for name in ("local_address", "local_port", "peer_address", "peer_port"):
        differs = keys[name] != agreed[name][numbers]
        if differs.ndim > 1:
            differs = differs.any(axis=1)
        agreed[name][numbers[differs]] = 0
    return agreed


def _taken(values: NDArray[Any], numbers: NDArray[np.int32]) -> NDArray[Any]:
    """Values by number, 0 for UNKNOWN."""
    taken = np.zeros(len(numbers), values.dtype)
    is_known = numbers != UNKNOWN
    taken[is_known] = values[numbers[is_known]]
    return taken
