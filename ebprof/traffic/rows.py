"""Groups of flows as the rows that are shown: only these become objects, and only when read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import repeat
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import CONNECT_ERRORS
from ebprof.index import UNKNOWN
from ebprof.model import FlowCounts, FlowRow
from ebprof.traffic.endpoint import address_text
from ebprof.traffic.grouping import Flows, Groups, round_trips, service_ports, sum_counts
from ebprof.traffic.names import Names
from ebprof.traffic.peers import NOBODY, SEVERAL, Peers
from ebprof.traffic.table import count_columns

_CHUNK = 256
_FIRST_RTT, _TURNS = (count_columns(name)[0] for name in ("rtt_sum", "turns"))
_FAILED = slice(count_columns("failed")[0], _TURNS)
_ERRORS = tuple(error.name for error in CONNECT_ERRORS)
_ROLES = {lib.ROLE_CLIENT: "client", lib.ROLE_SERVER: "server"}
_FAMILIES = {lib.FAMILY_IPV4: 4, lib.FAMILY_IPV6: 6}


@dataclass(frozen=True, slots=True)
class Extras:
    """What rows have besides what was counted.

    has_turns: turns are counted. names, peers: ask these. commands: whether to read command lines.
    changes: since a mark, of groups; None without a mark.
    """

    has_turns: bool = True
    names: Names | None = None
    peers: Peers | None = None
    commands: bool = False
    changes: Callable[[Groups], NDArray[np.float64]] | None = None


class FlowRows(Sequence[FlowRow]):
    """The rows of some groups, made as they are read; good until the next tick.

    chosen: int64[rows], numbers of the groups, in order; now: the time of the last tick; last: a
    row that follows them.
    """

    def __init__(
        self,
        flows: Flows,
        groups: Groups,
        chosen: NDArray[np.int64],
        now: float,
        last: FlowRow | None,
        extras: Extras,
    ) -> None:
        self._table = flows.table
        self._translations = flows.translations
        self._processes = flows.processes
        self._groups = groups
        self._chosen = chosen
        self._now = now
        self._extras = extras
        self._to_counts = partial(to_counts, has_turns=extras.has_turns)
        self._last: tuple[FlowRow, ...] = () if last is None else (last,)

    def __len__(self) -> int:
        return len(self._chosen) + len(self._last)

    def __iter__(self) -> Iterator[FlowRow]:
        for start in range(0, len(self._chosen), _CHUNK):
            yield from self._rows(self._chosen[start : start + _CHUNK])
        yield from self._last

    @overload
    def __getitem__(self, at: int) -> FlowRow: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[FlowRow, ...]: ...

    def __getitem__(self, at: int | slice) -> FlowRow | tuple[FlowRow, ...]:
        if isinstance(at, slice):
            return tuple(self[number] for number in range(len(self))[at])
        number = range(len(self))[at]
        if number >= len(self._chosen):
            return self._last[0]
        return next(self._rows(self._chosen[number : number + 1]))

    def _rows(self, chosen: NDArray[np.int64]) -> Iterator[FlowRow]:
        """Rows by columns, as far as that goes: there may be 50,000 of them."""
        members, starts = self._groups.members_of(chosen)
        groups = Groups(members, starts)
        totals = sum_counts(self._table.totals, groups)
        recent = sum_counts(self._table.recent, groups)
        ages = self._now - np.minimum.reduceat(self._table.first_seen[members], starts)
        columns = {
            **self._identities(members, starts),
            "flows": np.diff(starts, append=len(members)).tolist(),
            "totals": map(self._to_counts, totals.tolist()),
            "recent": map(self._to_counts, recent.tolist()),
            "rtt_us": (rtt if rtt >= 0 else None for rtt in round_trips(recent, totals).tolist()),
            "age_s": ages.tolist(),
            "anchor": [self._table.keys[row].tobytes() for row in members[starts].tolist()],
            "change": self._changes(groups),
            "history": map(tuple, self._table.history.sums(members, starts).tolist()),
        }
        yield from _made(columns)

    def _changes(self, groups: Groups) -> list[float | None]:
        if self._extras.changes is None:
            return [None] * len(groups)
        ratios = self._extras.changes(groups).tolist()
        return [None if math.isnan(one) else one for one in ratios]

    def _identities(self, members: NDArray[Any], starts: NDArray[Any]) -> dict[str, list[Any]]:
        """FlowRow's fields that say which flow it is, a list each with a value a group."""
        keys, process = self._table.keys[members], self._table.process[members]
        first, family = keys[starts], _agree(keys["family"], starts)
        peers = _common(
            _addresses(first, "peer_address"), family & _agree(keys["peer_address"], starts)
        )
        return {
            **self._owners(process, starts),
            "role": _common(
                [_ROLES.get(role, "unknown") for role in first["role"].tolist()],
                _agree(keys["role"], starts),
            ),
            "family": _common([_FAMILIES.get(one) for one in first["family"].tolist()], family),
            "local_address": _common(
                _addresses(first, "local_address"), family & _agree(keys["local_address"], starts)
            ),
            "local_port": _ports(keys["local_port"], starts),
            "peer_address": peers,
            "peer_port": _ports(keys["peer_port"], starts),
            "port": _ports(service_ports(keys), starts),
            "peer_name": [self._peer_name(address) for address in peers],
            **self._other_ends(keys, starts),
            **self._other_processes(keys, starts),
        }

    def _owners(self, process: NDArray[Any], starts: NDArray[Any]) -> dict[str, list[Any]]:
        """FlowRow's fields that say whose the flow is; process: rows of the table of processes."""
        processes, first = self._processes, process[starts].tolist()
        pids = processes.pids[process]
        placements = [processes.placement_of(row) for row in first]
        found = {
            "pid": _common(pids[starts].tolist(), _agree(pids, starts)),
            "comm": _common(
                [processes.comm_of(row) for row in first],
                _agree(processes.comms[process], starts),
            ),
        }
        if self._extras.commands:
            lines = [processes.command_of(row) for row in first]
            found["command"] = _common(lines, _agree(process, starts))
        numbers = {
            "cgroup": processes.cgroups,
            "container": processes.containers,
            "pod": processes.pods,
            "unit": processes.units,
        }
        for name, column in numbers.items():
            values = [getattr(placement, name) or None for placement in placements]
            found[name] = _common(values, _agree(column[process], starts))
        containers = found["container"]
        found["container_name"] = [processes.container_name(one) or None for one in containers]
        return found

    def _other_ends(self, keys: NDArray[Any], starts: NDArray[Any]) -> dict[str, list[Any]]:
        """FlowRow's nat_...: nothing where nothing is known to be translated."""
        if not self._translations:
            return {}
        ends = self._translations.other_ends(keys)
        first = ends[starts]
        found: dict[str, list[Any]] = {}
        for name in ("local", "peer"):
            address = ends[f"{name}_address"]
            is_known = address[starts].any(axis=1) & _agree(ends["family"], starts)
            texts = _addresses(first, f"{name}_address")
            found[f"nat_{name}_address"] = _common(texts, is_known & _agree(address, starts))
            found[f"nat_{name}_port"] = _ports(ends[f"{name}_port"], starts)
        return found

    def _other_processes(self, keys: NDArray[Any], starts: NDArray[Any]) -> dict[str, list[Any]]:
        """FlowRow's fields that say whose the other end is."""
        if self._extras.peers is None:
            return {}
        others = self._extras.peers.of(keys)
        first, agreed = others[starts], _agree(others, starts)
        rows = self._processes.find(first)
        is_one = agreed & (rows != UNKNOWN) & (first != NOBODY)
        pids = self._processes.pids
        found = [row if one else None for row, one in zip(rows.tolist(), is_one, strict=True)]
        return {
            "peer_pid": [None if row is None else int(pids[row]) or None for row in found],
            "peer_comm": [None if row is None else self._processes.comm_of(row) for row in found],
            "has_peers": (~agreed | (first == SEVERAL)).tolist(),
        }

    def _peer_name(self, address: str | None) -> str | None:
        names = self._extras.names
        return names.name_of(address) if names and address else None


def _made(columns: dict[str, Iterable[Any]]) -> Iterator[FlowRow]:
    """Rows of columns by name of the field; fields without a column have their default."""
    defaults = FlowRow._field_defaults
    assert columns.keys() <= defaults.keys()
    return map(FlowRow, *(columns.get(one, repeat(defaults[one])) for one in FlowRow._fields))


def to_counts(counts: list[int], *, has_turns: bool = True) -> FlowCounts:
    """COUNTS numbers, in the order of FLOW_COUNTS, as an object. has_turns: they are counted."""
    tx_bytes, rx_bytes, tx_calls, rx_calls, opened, closed, retransmits = counts[:_FIRST_RTT]
    errors = _connect_errors(counts[_FAILED])
    turns, latency_ns, latency_max_ns = counts[_TURNS:]
    return FlowCounts(
        tx_bytes,
        rx_bytes,
        tx_calls,
        rx_calls,
        connections=opened,
        closed=closed,
        retransmits=retransmits,
        failed_connects=sum(count for _, count in errors) if errors else 0,
        connect_errors=errors,
        turns=turns if has_turns else None,
        latency_ns=latency_ns,
        latency_max_ns=latency_max_ns,
    )


def _connect_errors(failed: list[int]) -> tuple[tuple[str, int], ...]:
    if not any(failed):
        return ()
    return tuple((name, count) for name, count in zip(_ERRORS, failed, strict=True) if count)


def _common(values: list[Any], agreed: NDArray[np.bool_]) -> list[Any]:
    """The values of groups that agree in them."""
    if agreed.all():
        return values
    return [value if one else None for value, one in zip(values, agreed.tolist(), strict=True)]


def _ports(ports: NDArray[Any], starts: NDArray[Any]) -> list[Any]:
    return _common([port or None for port in ports[starts].tolist()], _agree(ports, starts))


def _addresses(keys: NDArray[Any], name: str) -> list[str]:
    """One of FLOW_KEY's addresses, for people."""
    packed = np.ascontiguousarray(keys[name]).view("V16")[:, 0].tolist()
    return list(map(_address_text, packed, keys["family"].tolist()))


_address_text = lru_cache(maxsize=8192)(address_text)


def _agree(column: NDArray[Any], starts: NDArray[Any]) -> NDArray[np.bool_]:
    """Which groups have one value in a column of n values, or of n rows of them."""
    lengths = np.diff(starts, append=len(column))
    same = column == np.repeat(column[starts], lengths, axis=0)
    if same.ndim > 1:
        same = same.all(axis=1)
    agreed: NDArray[np.bool_] = np.logical_and.reduceat(same, starts)
    return agreed
