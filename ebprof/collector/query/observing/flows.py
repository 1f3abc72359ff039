"""Who calls the services that are selected, and whom they call.

A connection between two nodes is seen at both ends, and each end knows only the address of the
other. Callers are taken from the end that knows their name: where the server's does not, from flows
of clients of its address. A caller is never the sum of both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from ebprof.changes import Subject, Table
from ebprof.changes.observed import TRAFFIC, Floats, table_of
from ebprof.collector.query import sql
from ebprof.collector.query.ends import OTHER
from ebprof.collector.query.flows import FlowSums
from ebprof.collector.query.observing._frame import Frame, add
from ebprof.wire.flows import ERRORS

MOST_FLOWS = 50_000
MOST_PEERS = 1_000
_OPPOSITE = {"bytes_in": "bytes_out", "bytes_out": "bytes_in"}
_COUNTS = ("tx_bytes", "rx_bytes", "connections", *ERRORS)
Place = tuple[str, int]


def observe(frame: Frame) -> dict[str, Table]:
    """`callers.MEASURE` and `callees.MEASURE` of TRAFFIC: bytes as the service sees them."""
    if not frame.has_flows:
        return {}
    selection = frame.selection
    sums = FlowSums(selection.selector, selection.range, (), selection.now_ms, selection.retention)
    places = {
        "matching": sums.conditions(),
        "counts": ", ".join(_COUNTS),
        "failed": " + ".join(ERRORS).join("()"),
    }
    bound = frame.parameters() | {"most": MOST_FLOWS, "peers": MOST_PEERS}
    frame.session.keep("ends", sql.fill("changes_ends", places), bound)
    frame.session.keep("large", sql.fill("changes_peers", places), bound)
    rows = frame.session.ask(sql.fill("changes_flows", places), bound).to_pylist()
    talk = Talk(rows)
    return {
        f"{name}.{measure}": table_of(_amounts(frame, ends, measure))
        for name, ends in (("callers", talk.callers), ("callees", talk.callees))
        for measure in TRAFFIC
    }


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """Somebody at the other end of a service, of some rows. is_theirs: rows are of their end."""

    subject: Subject
    row: Mapping[str, Any]
    is_theirs: bool = False

    @property
    def pids(self) -> set[int]:
        """The least and the largest one."""
        sides = ("pid", "other_pid") if self.is_theirs else ("peer_pid", "other_peer_pid")
        return {self.row[name] for name in sides}


class Talk:
    """Rows as callers and callees of services."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = list(rows)
        self._servers: dict[Place, set[str]] = defaultdict(set)
        for row in self._rows:
            if row["is_own"] and row["role"] == "server":
                self._servers[row["local"], row["port"]].add(row["service"])
        self._serving = {one for found in self._servers.values() for one in found}
        self._clients = {
            (row["local"], row["peer"], row["port"])
            for row in self._rows
            if row["role"] == "client" and self._server_of(row)
        }
        self.callers: list[End] = []
        self.callees: list[End] = []
        for row in self._rows:
            self._place(row)

    def _place(self, row: Mapping[str, Any]) -> None:
        is_known = bool(row["peer_service"] or row["peer_process"])
        if row["role"] != "client":
            ends = row["peer"], row["local"], row["port"]
            if row["is_own"] and (is_known or ends not in self._clients):
                self.callers.append(End(_caller(row), row))
            return
        server = self._server_of(row)
        if server and not is_known:
            caller = _subject(server, row, "")
            caller = caller._replace(details=(*caller.details, ("seen", "client")))
            self.callers.append(End(caller, row, is_theirs=True))
        elif row["is_own"] and row["peer_service"] not in self._serving:
            self.callees.append(End(_callee(row), row))

    def _server_of(self, row: Mapping[str, Any]) -> str:
        """The one service at the address that a client's row is to; empty for none or several."""
        found = self._servers.get((row["peer"], row["port"]), set())
        return next(iter(found)) if len(found) == 1 and not _is_loopback(row["peer"]) else ""


def _caller(row: Mapping[str, Any]) -> Subject:
    if row["peer_service"] or row["peer_process"]:
        return _subject(row["service"], row, "peer_")
    return Subject(row["service"], row["peer"])


def _callee(row: Mapping[str, Any]) -> Subject:
    if row["peer_service"] or row["peer_process"]:
        return _subject(row["service"], row, "peer_")
    where = f"[{row['peer']}]" if ":" in row["peer"] else row["peer"]
    return Subject(row["service"], where if where == OTHER else f"{where}:{row['port']}")


def _subject(service: str, row: Mapping[str, Any], side: str) -> Subject:
    """Who stands on a side of a row: `` or `peer_`. Their node is that of the row."""
    process = row[f"{side}process"]
    name = row[f"{side}service"] or process
    details = [("process", process)] if process != name else []
    return Subject(service, name, (*details, ("node", row["node"])))


def _amounts(frame: Frame, ends: Iterable[End], measure: str) -> dict[Subject, Floats]:
    found: dict[Subject, Floats] = {}
    pids: dict[Subject, set[int]] = defaultdict(set)
    for end in ends:
        column = _OPPOSITE.get(measure, measure) if end.is_theirs else measure
        add(found, end.subject, frame.amounts(end.row["points"], end.row[column]))
        pids[end.subject] |= end.pids
    return {_with_pid(one, pids[one]): values for one, values in found.items()}


def _with_pid(subject: Subject, pids: set[int]) -> Subject:
    """With the PID, where all that is known of a subject is one process."""
    if len(pids) != 1 or 0 in pids:
        return subject
    return subject._replace(details=(*subject.details, ("pid", str(*pids))))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
