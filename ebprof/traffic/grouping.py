"""Flows put together by what they share, and put in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import FLOW_COUNTS, LATENCY_MAX
from ebprof.errors import UsageError
from ebprof.identity.processes import Processes
from ebprof.index import UNKNOWN
from ebprof.traffic.table import FlowTable, count_columns, joined_groups
from ebprof.traffic.translations import Translations

Column = NDArray[Any]
_LOOPBACK = 127


@dataclass(frozen=True, slots=True)
class Flows:
    """Some rows of the table, with what they can be put together by. rows: int64[n].

    translations: of their addresses; None where nobody asked.
    """

    table: FlowTable
    processes: Processes
    rows: NDArray[np.int64]
    translations: Translations | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def keys(self) -> Column:
        """FLOW_KEY[n]."""
        return self.table.keys[self.rows]

    def process(self) -> Column:
        """int32[n]."""
        return self.table.process[self.rows]


@dataclass(frozen=True, slots=True)
class Groups:
    """Flows of one group stand together.

    members: int64[n], rows of the table; starts: int64[groups], where each group begins in them.
    """

    members: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def members_of(self, chosen: NDArray[np.int64]) -> tuple[Column, Column]:
        """The same two for some groups, in the order given."""
        ends = np.append(self.starts[1:], len(self.members))
        lengths = ends[chosen] - self.starts[chosen]
        starts = np.cumsum(lengths) - lengths
        shift = np.repeat(self.starts[chosen] - starts, lengths)
        return self.members[shift + np.arange(len(shift))], starts


def _address(name: str) -> Callable[[Flows], list[Column]]:
    def columns(flows: Flows) -> list[Column]:
        keys = flows.keys()
        halves = np.ascontiguousarray(keys[name]).view(">u8")
        return [keys["family"], halves[:, 0], halves[:, 1]]

    return columns


def _peer(flows: Flows) -> list[Column]:
    """Its address; the two ends of connections within one address are kept apart."""
    keys = flows.keys()
    return [*_address("peer_address")(flows), np.where(_are_within(keys), keys["role"], 0)]


def _are_within(keys: Column) -> NDArray[np.bool_]:
    """Which flows do not leave their machine, by their addresses."""
    local, peer = keys["local_address"], keys["peer_address"]
    is_same: NDArray[np.bool_] = (local == peer).all(axis=1)
    is_loopback = (local[:, 0] == _LOOPBACK) & (peer[:, 0] == _LOOPBACK)
    is_same |= is_loopback & (keys["family"] == lib.FAMILY_IPV4)
    return is_same


def _key(name: str) -> Callable[[Flows], list[Column]]:
    return lambda flows: [flows.keys()[name]]


def _local(flows: Flows) -> list[Column]:
    return [*_address("local_address")(flows), flows.keys()["local_port"]]


def service_ports(keys: Column) -> NDArray[np.uint16]:
    """The server's; where it is not known who that is, the lower one that there is.

    keys: FLOW_KEY[n].
    """
    local, peer = keys["local_port"], keys["peer_port"]
    lower = np.where((local == 0) | ((peer != 0) & (peer < local)), peer, local)
    role = keys["role"]
    known = np.where(role == lib.ROLE_CLIENT, peer, local)
    return np.where(role == lib.ROLE_UNKNOWN, lower, known)


_PIVOTS: dict[str, Callable[[Flows], list[Column]]] = {
    "process": lambda flows: [flows.process()],
    "peer": _peer,
    "port": lambda flows: [service_ports(flows.keys())],
    "role": _key("role"),
    "flow": lambda flows: [flows.rows],
    "container": lambda flows: [flows.processes.containers[flows.process()]],
    "pid": lambda flows: [flows.processes.pids[flows.process()]],
    "comm": lambda flows: [flows.processes.comms[flows.process()]],
    "local": _local,
    "family": _key("family"),
    "cgroup": lambda flows: [flows.processes.cgroups[flows.process()]],
    "pod": lambda flows: [flows.processes.pods[flows.process()]],
    "unit": lambda flows: [flows.processes.units[flows.process()]],
}
PIVOTS = tuple(_PIVOTS)
"""What flows can be put together by; `flow` keeps each apart."""


def parse_pivots(text: str) -> tuple[str, ...]:
    """`peer,port` as names of PIVOTS, each once; raises UsageError, which lists them."""
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in _PIVOTS:
            raise UsageError(
                f"cannot put flows together by {name!r}", f"choose from {', '.join(PIVOTS)}"
            )
    return names


@dataclass(frozen=True, slots=True)
class Within:
    """The flows of one row: those that agree in pivots with one of them.

    anchor: its FLOW_KEY. name: of the row, for people.
    """

    by: tuple[str, ...]
    anchor: bytes
    name: str = ""


def narrowed(flows: Flows, within: Within) -> Flows:
    """Those of a row; none when its flow is not in the table any more."""
    row = flows.table.row_of(within.anchor)
    if row == UNKNOWN:
        return replace(flows, rows=flows.rows[:0])
    one = replace(flows, rows=np.array([row]))
    agreed = np.ones(len(flows), np.bool_)
    for name in within.by:
        for column, wanted in zip(_PIVOTS[name](flows), _PIVOTS[name](one), strict=True):
            agreed &= column == wanted[0]
    return replace(flows, rows=flows.rows[agreed])


def group(flows: Flows, by: tuple[str, ...]) -> Groups:
    """Put flows together that agree in all pivots (of PIVOTS, at least one)."""
    if "flow" in by:
        return Groups(flows.rows, np.arange(len(flows)))
    columns = [column for name in by for column in _PIVOTS[name](flows)]
    order = np.lexsort(columns)
    differs = np.zeros(len(flows), np.bool_)
    differs[:1] = True
    for column in columns:
        ordered = column[order]
        differs[1:] |= ordered[1:] != ordered[:-1]
    return Groups(flows.rows[order], np.flatnonzero(differs))


def sums(values: Column, members: Column, starts: Column) -> Column:
    """Of the rows of each group, as `Groups` has them."""
    if len(starts) == len(members):
        return values[members]
    summed: Column = np.add.reduceat(values[members], starts, axis=0)
    return summed


def sum_counts(counts: NDArray[np.int64], groups: Groups) -> NDArray[np.int64]:
    """Counts of each group together: int64[groups, COUNTS]."""
    members, starts = groups.members, groups.starts
    return (
        counts[members] if len(starts) == len(members) else joined_groups(counts[members], starts)
    )


def _count(*names: str) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
    """Sum of some of FLOW_COUNTS' fields, in rows of them."""
    columns = [column for name in names for column in count_columns(name)]

    def count(counts: NDArray[np.int64]) -> NDArray[np.int64]:
        summed = counts[:, columns[0]]
        for column in columns[1:]:
            summed = summed + counts[:, column]
        return summed

    return count


_COUNT_SORTS = {
    "total": _count("tx_bytes", "rx_bytes"),
    "tx": _count("tx_bytes"),
    "rx": _count("rx_bytes"),
    "calls": _count("tx_calls", "rx_calls"),
    "connections": _count("opened"),
    "failed": _count("failed"),
    "retransmits": _count("retransmits"),
}
_rtt_sum, _rtt_count = _count("rtt_sum"), _count("rtt_count")
_latency_sum, _turns = _count("latency_sum"), _count("turns")
_MEASURES = {"rtt_sum", "rtt_count", "turns", "latency_sum", LATENCY_MAX}
_events = _count(*(set(FLOW_COUNTS.names or ()) - _MEASURES))
SORTS = (*_COUNT_SORTS, "latency", "rtt", "age", "name")
"""Orders of rows: the most first, names by the alphabet."""


def check_sort(name: str) -> str:
    """The name, if it is one of SORTS; raises UsageError, which lists them."""
    if name not in SORTS:
        raise UsageError(f"cannot sort by {name!r}", f"choose from {', '.join(SORTS)}")
    return name


def happened(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows of counts count anything; what is measured and not counted is no event."""
    return np.not_equal(_events(counts), 0)


def order(flows: Flows, groups: Groups, sort: str) -> NDArray[np.int64]:
    """Numbers of the groups in the order asked for (of SORTS), int64[groups].

    Counts are compared in the window, then since the start.
    """
    table, members, starts = flows.table, groups.members, groups.starts
    if not len(groups):
        return np.zeros(0, np.int64)
    if sort == "name":
        return _by_name(flows, groups)
    if sort == "age":
        return np.argsort(np.minimum.reduceat(table.first_seen[members], starts), kind="stable")
    if sort in _MEAN_SORTS:
        recent, totals = (sum_counts(one, groups) for one in (table.recent, table.totals))
        return np.argsort(-_MEAN_SORTS[sort](recent, totals), kind="stable")
    count = _COUNT_SORTS[sort]
    recently, ever = (sums(count(one), members, starts) for one in (table.recent, table.totals))
    return np.lexsort((-ever.astype(np.float64), -recently.astype(np.float64)))


def changes(
    table: FlowTable, groups: Groups, sort: str, before_s: float, since_s: float
) -> NDArray[np.float64]:
    """How many times as much there is a second since the mark as there was before; float64[groups].

    Of what the rows are sorted by (of SORTS), if that is counted or a latency, else of bytes both
    ways. inf: there was none before; NaN: neither before nor since.
    """
    members, starts = groups.members, groups.starts
    before = joined_groups(table.before_mark[members], starts)
    since = joined_groups(table.totals[members] - table.at_mark[members], starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        if sort == "latency":
            was, now = (_latency_sum(one) / _turns(one) for one in (before, since))
            return np.where(_turns(since) > 0, now / np.where(_turns(before) > 0, was, 0.0), np.nan)
        count = _COUNT_SORTS.get(sort, _COUNT_SORTS["total"])
        ratios: NDArray[np.float64] = (count(since) / since_s) / (count(before) / before_s)
    return ratios


def round_trips(recent: NDArray[np.int64], totals: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean round trip times in us, in the window, else of all, else -1; float64[n]."""
    return _means(_rtt_sum, _rtt_count, recent, totals)


def latencies(recent: NDArray[np.int64], totals: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean latencies of turns in ns, in the window, else of all, else -1; float64[n]."""
    return _means(_latency_sum, _turns, recent, totals)


_MEAN_SORTS = {"rtt": round_trips, "latency": latencies}


def _means(
    sum_of: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    count_of: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    recent: NDArray[np.int64],
    totals: NDArray[np.int64],
) -> NDArray[np.float64]:
    measured = count_of(recent) > 0
    sums = np.where(measured, sum_of(recent), sum_of(totals))
    counts = np.where(measured, count_of(recent), count_of(totals))
    return np.where(counts > 0, sums / np.maximum(counts, 1), -1.0)


def _by_name(flows: Flows, groups: Groups) -> NDArray[np.int64]:
    """By name, number, peer and port of each group's first flow."""
    first = Flows(flows.table, flows.processes, groups.members[groups.starts])
    process = first.process()
    columns = [
        flows.processes.name_ranks()[process],
        flows.processes.pids[process],
        *_PIVOTS["peer"](first),
        service_ports(first.keys()),
    ]
    return np.lexsort(columns[::-1])
