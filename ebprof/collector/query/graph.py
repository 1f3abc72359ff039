"""Edges and nodes of a topology, made of the rows that the store gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ebprof.collector.query import ends
from ebprof.collector.query.times import Range
from ebprof.wire.flows import ERRORS

SUMS = ("tx_bytes", "rx_bytes", "connections", "retransmits", "rtt_sum", "rtt_count", *ERRORS)
USED, CLIENT, SERVER = "", "client_", "server_"
"""What the names of columns begin with, by what saw them."""
VALUE, OTHER = "value", "other"
NOISE = 0.01
NOISE_BYTES = 65_536
REASONS = ("missing_windows", "one_side_away", "translated", "unknown")
"""Why both sides of an edge may differ."""
_LATE_S = 2
_AWAY_S = 60
_ENDS = ("client", "server")
_FLAGS = ("has_client", "has_server", "is_apart", "both_client", "both_server", "apart_s")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """Who is at an end. kind: `value` of the label that was asked for; `machine`: a node with an
    agent, of which nobody saw the process; `outside`, `shared`, or `other`.
    """

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a side saw. tx_bytes: from client to server; retransmits: of what that side sent.

    failed: connects by reason. rtt_sum: round trip times in microseconds, of rtt_count.
    """

    tx_bytes: int
    rx_bytes: int
    connections: int
    retransmits: int
    rtt_sum: int
    rtt_count: int
    failed: dict[str, int]

    @property
    def rtt_us(self) -> float | None:
        """The mean; None where none was measured."""
        return round(self.rtt_sum / self.rtt_count, 1) if self.rtt_count > 0 else None

    @property
    def bytes(self) -> int:
        """Both ways."""
        return self.tx_bytes + self.rx_bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """From a client to a server. used: of one of both sides for each connection.

    is_counted: False where another edge has the same bytes, and the name that this one lacks.
    differs: bytes that the client's side saw more than the server's, where that is more than noise,
    of connections that both saw; 0 otherwise. because: one of REASONS, empty where nothing differs.
    is_apart: one side did not see the other's address. missing: nodes of either side with windows
    that did not arrive.
    """

    client: End
    server: End
    used: Seen
    client_side: Seen | None
    server_side: Seen | None
    is_counted: bool
    is_apart: bool
    differs: int
    because: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """An end, and what it sent and received by the edges that are counted."""

    end: End
    tx_bytes: int
    rx_bytes: int


def noise_of(covered: Range) -> float:
    """By which share both sides of an edge differ anyway: a side may be late by two seconds."""
    return max(NOISE, 1000 * _LATE_S / covered.length_ms)


def seen(row: Row, side: str = USED) -> Seen:
    """Sums of what a side saw."""
    return Seen(
        row[f"{side}tx_bytes"],
        row[f"{side}rx_bytes"],
        row[f"{side}connections"],
        row[f"{side}retransmits"],
        row[f"{side}rtt_sum"],
        row[f"{side}rtt_count"],
        {name: row[side + name] for name in ERRORS if row[side + name]},
    )


def edge(row: Row, noise: float, missing: Mapping[str, int]) -> Edge:
    """An edge; noise: see `noise_of`. missing: windows that did not arrive, by node."""
    more = row["both_client"] - row["both_server"]
    allowed = NOISE_BYTES + noise * max(row["both_client"], row["both_server"])
    lacking = tuple(sorted({*row["client_nodes"], *row["server_nodes"]} & set(missing)))
    differs = more if abs(more) > allowed else 0
    return Edge(
        End(row["client_kind"], row["client_name"]),
        End(row["server_kind"], row["server_name"]),
        seen(row),
        seen(row, CLIENT) if row["has_client"] else None,
        seen(row, SERVER) if row["has_server"] else None,
        bool(row["is_counted"]),
        bool(row["is_apart"]),
        differs,
        _because(row, lacking) if differs else "",
        lacking,
    )


def _because(row: Row, lacking: tuple[str, ...]) -> str:
    """Why two sides may differ: what is known of them, the likeliest first."""
    signs = (bool(lacking), row["apart_s"] > _AWAY_S, row["is_apart"], True)
    return next(reason for reason, sign in zip(REASONS, signs, strict=True) if sign)


def nodes(rows: Iterable[Row]) -> list[Node]:
    """All ends of edges; what is not counted is not added up."""
    moved: dict[End, list[int]] = {}
    for row in rows:
        sides = [End(row[f"{side}_kind"], row[f"{side}_name"]) for side in _ENDS]
        ways = (row["tx_bytes"], row["rx_bytes"]) if row["is_counted"] else (0, 0)
        for end, (sent, received) in zip(sides, (ways, ways[::-1]), strict=True):
            sums = moved.setdefault(end, [0, 0])
            sums[0] += sent
            sums[1] += received
    found = [Node(end, *sums) for end, sums in moved.items()]
    return sorted(found, key=lambda one: (-one.tx_bytes - one.rx_bytes, one.end.name))


def added(rows: Iterable[Row]) -> Row:
    """The sums of all rows."""
    names = [prefix + one for prefix in (USED, CLIENT, SERVER) for one in SUMS]
    sums = dict.fromkeys(names, 0)
    for row in rows:
        for name in names:
            sums[name] += row[name]
    return sums


def together(rows: list[Row]) -> Iterator[Row]:
    """One row of those that are counted, and one of the others."""
    for is_counted in (1, 0):
        chosen = [row for row in rows if bool(row["is_counted"]) == bool(is_counted)]
        if chosen:
            ends_of = {f"{side}_kind": OTHER for side in _ENDS}
            ends_of |= {f"{side}_name": ends.OTHER for side in _ENDS}
            where = {
                side: {node for row in chosen for node in row[side]}
                for side in ("client_nodes", "server_nodes")
            }
            sums = {name: sum(row[name] for row in chosen) for name in _FLAGS}
            yield added(chosen) | ends_of | where | sums | {"is_counted": is_counted}
