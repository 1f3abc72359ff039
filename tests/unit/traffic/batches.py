"""Builders of what the kernel side hands out, and a session that hands it out."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import FLOW_COUNTS, FLOW_KEY, OWNER, PAIR, PAIR_KEY, PROCESS_ID
from ebprof.bpf.traffic import FlowBatch

UNKNOWN, CLIENT, SERVER = lib.ROLE_UNKNOWN, lib.ROLE_CLIENT, lib.ROLE_SERVER
Array = NDArray[Any]


def packed(address: str) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address).ljust(16, b"\0")


def key(
    pid: int = 1,
    peer: str = "10.0.0.2",
    local: str = "10.0.0.1",
    *,
    role: int = CLIENT,
    peer_port: int = 0,
    local_port: int = 0,
    start: int = 7,
    peer_pid: int = 0,
) -> Array:
    """FLOW_KEY[1]; peer_pid: of the process at the other end, 0 where that is not known."""
    made = np.zeros(1, FLOW_KEY)
    made["peer"]["number"], made["peer"]["start"] = peer_pid, start if peer_pid else 0
    made["process"]["number"], made["process"]["start"] = pid, start
    made["peer_address"] = np.frombuffer(packed(peer), np.uint8)
    made["local_address"] = np.frombuffer(packed(local), np.uint8)
    made["peer_port"], made["local_port"], made["role"] = peer_port, local_port, role
    made["family"] = lib.FAMILY_IPV6 if ":" in peer else lib.FAMILY_IPV4
    return made


def counts(tx: int = 0, rx: int = 0, **fields: Any) -> Array:
    """FLOW_COUNTS[1]; `failed` by the number of the reason."""
    made = np.zeros(1, FLOW_COUNTS)
    made["tx_bytes"], made["rx_bytes"] = tx, rx
    for reason, count in fields.pop("failed", {}).items():
        made["failed"][0, reason] = count
    for name, value in fields.items():
        made[name] = value
    return made


def process(pid: int, start: int = 7, execs: int = 0) -> Array:
    """PROCESS_ID[1]."""
    made = np.zeros(1, PROCESS_ID)
    made["number"], made["start"] = execs << lib.PID_BITS | pid, start
    return made


def owner(comm: str | bytes, cgroup: int = 0, pid: int = 0, *, at_exec: bool = False) -> Array:
    """OWNER[1]."""
    made = np.zeros(1, OWNER)
    made["comm"], made["cgroup"], made["pid"] = comm, cgroup, pid
    made["at_exec"] = at_exec
    return made


def joined(parts: Iterable[Array], dtype: np.dtype[Any]) -> Array:
    return np.concatenate([np.zeros(0, dtype), *parts])


def batch(
    *flows: tuple[Array, Array],
    other: Array | None = None,
    owners: Iterable[tuple[Array, Array]] = (),
) -> FlowBatch:
    """Flows with their counts, and processes at first sight."""
    known = list(owners)
    return FlowBatch(
        keys=joined((flow for flow, _ in flows), FLOW_KEY),
        counts=joined((count for _, count in flows), FLOW_COUNTS),
        other=counts() if other is None else other,
        processes=joined((one for one, _ in known), PROCESS_ID),
        owners=joined((one for _, one in known), OWNER),
    )


class FakeSession:
    """Hands out batches, then empty ones."""

    def __init__(self, *batches: FlowBatch) -> None:
        self.batches = list(batches)
        self.is_started = False
        self.is_closed = False
        self.counts_calls = self.can_unhook_calls = True

    def start(self) -> None:
        self.is_started = True

    def drain(self) -> FlowBatch:
        return self.batches.pop(0) if self.batches else batch()

    def pairs(self) -> tuple[Array, Array]:
        return np.zeros(0, PAIR_KEY), np.zeros(0, PAIR)

    def counters(self) -> dict[str, int]:
        return {"overflowed": 3}

    def overhead(self) -> tuple[int, float]:
        return 5, 0.5

    def hook_calls(self) -> None:
        self.counts_calls = True

    def unhook_calls(self) -> None:
        self.counts_calls = False

    def close(self) -> None:
        self.is_closed = True
