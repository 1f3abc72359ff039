"""Flows as Arrow tables, for the tables `flows` and `flows_1h`."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ebprof.collector.flow_keys import ROLLED_UP
from ebprof.wire.flows import COUNTS, ROLES, FlowWindow

_TEXT = pa.string()
_OF_PROCESS = ("service", "process", "pid", "container", "pod", "cgroup", "unit")
_OF_PEER = ("service", "process", "pid", "container", "pod")
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_LENGTHS = {4: 4, 6: 16}


@dataclass(frozen=True, slots=True, eq=False)
class FlowLabels:
    """What is added to the flows of a window: texts, by flow.

    service, peer_service: empty where the flow's own stays. labels: JSON, empty for none. names: of
    all labels that are no columns.
    """

    service: pa.Array
    peer_service: pa.Array
    labels: pa.Array
    names: frozenset[str]


def flows(windows: Sequence[FlowWindow], added: Sequence[FlowLabels | None] = ()) -> pa.Table:
    """Rows of the table `flows`. added: to each window; without it, nothing is added to any."""
    more = added or [None] * len(windows)
    return pa.concat_tables([_rows(*pair) for pair in zip(windows, more, strict=True)])


def label_names(names: Sequence[str], day: date) -> pa.Table:
    """Rows of the table `flow_labels`."""
    columns = {"day": pa.array([day] * len(names), pa.date32()), "name": pa.array(names, _TEXT)}
    return pa.table(columns)


def rolled_up(table: pa.Table) -> pa.Table:
    """Rows of the table `flows_1h`: sums by hour."""
    start = pc.cast(pc.floor_temporal(table["ts"], unit="hour"), pa.timestamp("s", "UTC"))
    kept = [name for name in table.column_names if name not in ROLLED_UP]
    hours = table.select(kept).set_column(0, "ts", start)
    keys = [name for name in kept if name not in COUNTS]
    grouped = hours.group_by(keys, use_threads=False)
    summed = grouped.aggregate([(name, "sum") for name in COUNTS])
    return summed.select([*keys, *(f"{name}_sum" for name in COUNTS)]).rename_columns(
        [*keys, *COUNTS]
    )


def _rows(window: FlowWindow, added: FlowLabels | None) -> pa.Table:
    flows = window.flows
    count = len(flows)
    strings = pa.array(window.strings, _TEXT)
    columns: dict[str, Any] = {
        "ts": pa.array(np.full(count, window.start_ns // 1_000_000, np.int64)).cast(
            pa.timestamp("ms", "UTC")
        ),
        "node": pa.repeat(window.node, count),
        **_processes(window.processes[flows["process"]], strings, _OF_PROCESS, ""),
        "role": pa.array(ROLES, _TEXT).take(pa.array(flows["role"])),
        "family": flows["family"],
        "local": _addresses(flows["family"], flows["local_address"]),
        "peer": _addresses(flows["family"], flows["peer_address"]),
        "port": np.ascontiguousarray(flows["port"]),
        **_processes(window.processes[flows["peer"]], strings, _OF_PEER, "peer_"),
    }
    columns["labels"] = pa.repeat("", count) if added is None else added.labels
    for name in ("service", "peer_service") if added is not None else ():
        columns[name] = _first(getattr(added, name), columns[name])
    columns |= {name: np.ascontiguousarray(flows[name]) for name in COUNTS}
    return pa.table(columns)


def _first(texts: pa.Array, others: pa.Array) -> pa.Array:
    """Texts, and where they are empty the others."""
    return pc.if_else(pc.equal(texts, ""), others, texts)


def _processes(
    rows: NDArray[Any], strings: pa.Array, names: Sequence[str], prefix: str
) -> dict[str, Any]:
    """Columns of PROCESS[n]."""
    found: dict[str, Any] = {}
    for name in names:
        values = np.ascontiguousarray(rows[name])
        found[prefix + name] = values if name == "pid" else strings.take(pa.array(values))
    return found


def _addresses(families: NDArray[Any], addresses: NDArray[Any]) -> pa.Array:
    """Texts of uint8[n, 16]; empty where there is no family."""
    ends = np.zeros((len(families), 17), np.uint8)
    ends[:, 0], ends[:, 1:] = families, addresses
    whole = np.ascontiguousarray(ends).view("V17")[:, 0]
    distinct, numbers = np.unique(whole, return_inverse=True)
    texts = pa.array([address_of(one.tobytes()) for one in distinct], _TEXT)
    return texts.take(pa.array(numbers))


def address_of(end: bytes) -> str:
    """The text of a family, 4 or 6, and an address of 16 bytes; empty for another family."""
    family = end[0]
    if family not in _FAMILIES:
        return ""
    return socket.inet_ntop(_FAMILIES[family], end[1 : 1 + _LENGTHS[family]])
