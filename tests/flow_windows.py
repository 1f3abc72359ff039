"""Builders of windows of flows, as agents push them."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ebprof.wire.flows import COUNTS, FLOW, NOBODY, PROCESS, ROLES, FlowWindow


@dataclass(frozen=True)
class Process:
    """A process; service: its name, unless another is given."""

    name: str
    pid: int = 1
    service: str = ""
    container: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Flow:
    """A flow of a process, or of nobody. counts: by the names of COUNTS."""

    process: Process | None
    role: str = "client"
    peer: Process | None = None
    local: str = "10.0.0.1"
    address: str = "10.0.0.9"
    port: int = 6379
    counts: Mapping[str, int] = field(default_factory=dict)


def flow(process: Process | None, role: str = "client", *, tx: int = 0, **more: Any) -> Flow:
    """A flow with some counts: `flow(redis, "server", tx=3, rx_bytes=1, peer=cli)`."""
    counts = {"tx_bytes": tx} | {name: more.pop(name) for name in COUNTS if name in more}
    return Flow(process, role, counts=counts, **more)


def window(*flows: Flow, node: str = "n1", at_ns: int = 0, **fields: Any) -> FlowWindow:
    """A window of 10 s that began then, or just now."""
    start = at_ns or time.time_ns() - 10**10
    people = [one for flow in flows for one in (flow.process, flow.peer) if one]
    known = list(dict.fromkeys(people))
    texts = [text for one in known for text in _texts(one).values()]
    strings = tuple(dict.fromkeys(("", *texts)))
    processes = np.zeros(1 + len(known), PROCESS)
    for row, one in enumerate(known, 1):
        processes["pid"][row] = one.pid
        for name, text in _texts(one).items():
            processes[name][row] = strings.index(text)
    rows = np.zeros(len(flows), FLOW)
    for number, one_flow in enumerate(flows):
        _fill(rows[number : number + 1], one_flow, known)
    values: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "node": node,
        "start_ns": start,
        "end_ns": start + 10**10,
        "strings": strings,
        "processes": processes,
        "flows": rows,
    }
    return FlowWindow(**(values | fields))


def _texts(one: Process) -> dict[str, str]:
    service = one.service or one.name
    texts = {"process": one.name, "service": service, "source": "executable"}
    return texts | {"container": one.container, "unit": one.unit}


def _fill(row: Any, flow: Flow, known: list[Process]) -> None:
    row["process"] = known.index(flow.process) + 1 if flow.process else NOBODY
    row["peer"] = known.index(flow.peer) + 1 if flow.peer else NOBODY
    row["role"] = ROLES.index(flow.role)
    row["family"] = 6 if ":" in flow.address else 4
    row["local_address"], row["peer_address"] = _packed(flow.local), _packed(flow.address)
    row["port"] = flow.port
    for name, value in flow.counts.items():
        row[name] = value


def _packed(address: str) -> np.ndarray:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return np.frombuffer(socket.inet_pton(family, address).ljust(16, b"\0"), np.uint8)
