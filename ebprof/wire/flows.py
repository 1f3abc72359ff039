"""Flows of a window as columns, on their way from an agent to a collector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from ebprof.wire._schema import message_class

PATH = "/ebprof.v1.FlowService/Push"
FlowRequest: Any = message_class("flows.proto", "ebprof.v1.PushRequest")
FlowResponse: Any = message_class("flows.proto", "ebprof.v1.PushResponse")

TEXTS = ("process", "service", "source", "container", "pod", "cgroup", "unit")
"""Columns of processes that are indexes of strings."""
ERRORS = ("refused", "timeout", "unreachable", "reset", "cancelled", "other")
"""Columns of connects that failed, by reason."""
COUNTS = (
    *("tx_bytes", "rx_bytes", "tx_calls", "rx_calls", "connections", "closed", "retransmits"),
    *("rtt_sum", "rtt_count", *ERRORS),
)
"""Columns that add up."""
NOBODY = 0
"""The row of processes that are not known."""
ROLES = ("unknown", "client", "server")

PROCESS = np.dtype([("pid", "<u4"), *((name, "<u4") for name in TEXTS)])
FLOW = np.dtype(
    [
        ("process", "<u4"),
        ("peer", "<u4"),
        ("role", "u1"),
        ("family", "u1"),
        ("local_address", "u1", (16,)),
        ("peer_address", "u1", (16,)),
        ("port", "<u2"),
        *((name, "<i8") for name in COUNTS),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class FlowWindow:
    """Flows of a node in a window, times in nanoseconds since the epoch.

    strings: what texts of processes are indexes of. processes: PROCESS[m], the first one NOBODY.
    flows: FLOW[n], of which process and peer are rows of processes. losses: by counter.
    """

    id: str
    node: str
    start_ns: int
    end_ns: int
    strings: tuple[str, ...]
    processes: NDArray[Any]
    flows: NDArray[Any]
    losses: dict[str, int] = field(default_factory=dict)


def encode(window: FlowWindow) -> Any:
    """The message of a window, an ebprof.v1.PushRequest."""
    message = FlowRequest(
        id=window.id,
        node=window.node,
        start_ns=window.start_ns,
        end_ns=window.end_ns,
        strings=window.strings,
    )
    _put_columns(message.processes, window.processes)
    _put_columns(message.flows, window.flows)
    for counter, count in window.losses.items():
        message.losses.add(counter=counter, count=count)
    return message


def parse(data: bytes) -> Any:
    """The message that bytes hold; raises ValueError."""
    try:
        return FlowRequest.FromString(data)
    except DecodeError as error:
        raise ValueError(f"not an ebprof.v1.PushRequest: {error}") from None


def decode(message: Any) -> FlowWindow:
    """The window of a message; raises ValueError where it is none.

    Columns of a table have the same number of rows, and what they refer to is there: strings,
    processes, roles and families. What the counts, texts and times say is not looked at.
    """
    strings = tuple(message.strings)
    processes = _columns("processes", message.processes, PROCESS)
    flows = _columns("flows", message.flows, FLOW)
    if not strings or strings[0]:
        raise ValueError("the first string is not empty")
    if not len(processes):
        raise ValueError("there are no processes, not even the one that is nobody")
    for name in TEXTS:
        _check_below(f"processes.{name}", processes[name], len(strings))
    for name in ("process", "peer"):
        _check_below(f"flows.{name}", flows[name], len(processes))
    _check_below("flows.role", flows["role"], len(ROLES))
    if not np.isin(flows["family"], (0, 4, 6)).all():
        raise ValueError("flows.family has another value than 0, 4 and 6")
    return FlowWindow(
        message.id,
        message.node,
        message.start_ns,
        message.end_ns,
        strings,
        processes,
        flows,
        {one.counter: one.count for one in message.losses},
    )


def _put_columns(message: Any, rows: NDArray[Any]) -> None:
    for name in rows.dtype.names or ():
        setattr(message, name, np.ascontiguousarray(rows[name]).tobytes())


def _columns(table: str, message: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The rows of a table; the first column says how many there are."""
    names = dtype.names or ()
    count = len(getattr(message, names[0])) // dtype[0].itemsize
    for number, name in enumerate(names):
        found, size = len(getattr(message, name)), dtype[number].itemsize
        if found != count * size:
            raise ValueError(
                f"{table}.{name} has {found:,} bytes, not {size} for each of {count:,} rows"
            )
    rows = np.zeros(count, dtype)
    for number, name in enumerate(names):
        column = dtype[number]
        rows[name] = np.frombuffer(getattr(message, name), column.base).reshape(-1, *column.shape)
    return rows


def _check_below(name: str, values: NDArray[Any], bound: int) -> None:
    largest = int(values.max(initial=0))
    if len(values) and largest >= bound:
        raise ValueError(f"{name} has the index {largest:,}, and there are {bound:,}")
