"""Flows of traffic, as monitors hand them out and reports show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class FlowCounts(NamedTuple):
    """What moved over one flow, or over several together.

    tx: sent by this side, rx: received; calls are those that moved bytes. connections: opened,
    retransmits: segments. connect_errors: (reason, how often), only those that happened; their
    sum is failed_connects. turns: questions that were answered, None where no call is seen;
    latency_ns: from the last byte of each question to the first of its answer, all together;
    latency_max_ns: the longest. Of a server that is how long it took to answer, of a client how
    long it waited.
    """

    tx_bytes: int = 0
    rx_bytes: int = 0
    tx_calls: int = 0
    rx_calls: int = 0
    connections: int = 0
    closed: int = 0
    retransmits: int = 0
    failed_connects: int = 0
    connect_errors: tuple[tuple[str, int], ...] = ()
    turns: int | None = 0
    latency_ns: int = 0
    latency_max_ns: int = 0

    @property
    def latency_mean_us(self) -> float | None:
        """Of one turn; None where there was none."""
        return self.latency_ns / 1000 / self.turns if self.turns else None

    @property
    def latency_max_us(self) -> float | None:
        """The same of the longest."""
        return self.latency_max_ns / 1000 if self.turns else None


class FlowRow(NamedTuple):
    """One flow, or all flows that share what they were put together by.

    Each of pid to unit is None where the flows differ in it, or where it does not exist: an
    ephemeral port, no container. pid 0 with comm `-`: no known process. role: `client` (this side
    connected), `server` (this side listened), `unknown`. family: 4 or 6. port: the server end's;
    where it is not known which that is, the lower one. nat_...: the same ends as the socket of the
    other side has them, where they are known to be translated on their way. peer_name: only once it
    was asked for and is known. peer_pid, peer_comm: the process at the other end, where that is on
    this machine and known; has_peers: there are several of them. command: its command line, where
    it was asked for. anchor: tells the row from others that are put together by the same. change:
    how many times as much as before a mark; inf: there was nothing then. container: the whole ID;
    container_name: what people call it; pod: its UID; unit: systemd's. flows: how many were put
    together. totals: since the start, or since the flow was first seen; recent: in the report's
    interval. rtt_us: mean of the smoothed round trip times in the interval, else of all. age_s:
    since first sight of the oldest flow.
    history: bytes a second both ways, a point a second, oldest first, at most 60. is_other: what
    found no place of its own in the kernel's or our tables.
    """

    pid: int | None = None
    comm: str | None = None
    role: str | None = None
    family: int | None = None
    local_address: str | None = None
    local_port: int | None = None
    peer_address: str | None = None
    peer_port: int | None = None
    port: int | None = None
    nat_local_address: str | None = None
    nat_local_port: int | None = None
    nat_peer_address: str | None = None
    nat_peer_port: int | None = None
    peer_name: str | None = None
    peer_pid: int | None = None
    peer_comm: str | None = None
    has_peers: bool = False
    command: str | None = None
    anchor: bytes = b""
    change: float | None = None
    cgroup: str | None = None
    container: str | None = None
    container_name: str | None = None
    pod: str | None = None
    unit: str | None = None
    flows: int = 0
    totals: FlowCounts = FlowCounts()
    recent: FlowCounts = FlowCounts()
    rtt_us: float | None = None
    age_s: float = 0.0
    history: tuple[float, ...] = ()
    is_other: bool = False


@dataclass(frozen=True, slots=True)
class FlowReport:
    """The rows of one interval, in the order asked for.

    rows: `~other` comes last where it counts anything, whatever the limit and the filters: what is
    in it cannot be told apart. totals: all that passed the filters, shown or hidden, and `~other`.
    hidden: rows beyond the limit. interval_s: what `recent` spans, > 0 after the first tick.
    elapsed_s: since the start. place: of the row that was asked for by its anchor, None where it
    is not among them. since_mark_s: since the mark was set, None without one. Rows may be
    made as they are read: read them before the next tick.
    """

    rows: Sequence[FlowRow]
    totals: FlowRow
    hidden: int
    interval_s: float
    elapsed_s: float
    place: int | None = None
    since_mark_s: float | None = None
