"""Groups of flows as the rows that are shown: only these become objects, and only when read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import CONNECT_ERRORS
from ebprof.model import FlowCounts, FlowRow
from ebprof.traffic.endpoint import address_text
from ebprof.traffic.grouping import Flows, Groups, round_trips, service_ports, sums
from ebprof.traffic.names import Names
from ebprof.traffic.table import count_columns

_CHUNK = 256
_FIRST_RTT, _FIRST_FAILED = (count_columns(name)[0] for name in ("rtt_sum", "failed"))
_ERRORS = tuple(error.name for error in CONNECT_ERRORS)
_ROLES = {lib.ROLE_CLIENT: "client", lib.ROLE_SERVER: "server"}
_FAMILIES = {lib.FAMILY_IPV4: 4, lib.FAMILY_IPV6: 6}


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
        names: Names | None,
        last: FlowRow | None,
    ) -> None:
        self._table = flows.table
        self._translations = flows.translations
        self._processes = flows.processes
        self._groups = groups
        self._chosen = chosen
        self._now = now
        self._names = names
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
        totals = sums(self._table.totals, members, starts)
        recent = sums(self._table.recent, members, starts)
        ages = self._now - np.minimum.reduceat(self._table.first_seen[members], starts)
        yield from map(
            FlowRow,  # its fields in their order, a column each
            *self._identities(members, starts),
            np.diff(starts, append=len(members)).tolist(),
            map(to_counts, totals.tolist()),
            map(to_counts, recent.tolist()),
            (rtt if rtt >= 0 else None for rtt in round_trips(recent, totals).tolist()),
            ages.tolist(),
            map(tuple, self._table.history.sums(members, starts).tolist()),
        )

    def _identities(self, members: NDArray[Any], starts: NDArray[Any]) -> Iterator[list[Any]]:
        """FlowRow's fields from pid to unit, a list each with a value a group."""
        keys, process = self._table.keys[members], self._table.process[members]
        first, first_process = keys[starts], process[starts].tolist()
        processes = self._processes
        pids = processes.pids[process]
        placements = [processes.placement_of(row) for row in first_process]
        family = _agree(keys["family"], starts)
        peers = _common(
            _addresses(first, "peer_address"), family & _agree(keys["peer_address"], starts)
        )
        yield _common(pids[starts].tolist(), _agree(pids, starts))
        yield _common(
            [processes.comm_of(row) for row in first_process],
            _agree(processes.comms[process], starts),
        )
        yield _common(
            [_ROLES.get(role, "unknown") for role in first["role"].tolist()],
            _agree(keys["role"], starts),
        )
        yield _common([_FAMILIES.get(one) for one in first["family"].tolist()], family)
        yield _common(
            _addresses(first, "local_address"), family & _agree(keys["local_address"], starts)
        )
        yield _ports(keys["local_port"], starts)
        yield peers
        yield _ports(keys["peer_port"], starts)
        yield _ports(service_ports(keys), starts)
        yield from self._other_ends(keys, starts)
        yield [self._peer_name(address) for address in peers]
        yield _common(
            [placement.cgroup or None for placement in placements],
            _agree(processes.cgroups[process], starts),
        )
        yield _common(
            [placement.container or None for placement in placements],
            _agree(processes.containers[process], starts),
        )
        yield _common(
            [placement.pod or None for placement in placements],
            _agree(processes.pods[process], starts),
        )
        yield _common(
            [placement.unit or None for placement in placements],
            _agree(processes.units[process], starts),
        )

    def _other_ends(self, keys: NDArray[Any], starts: NDArray[Any]) -> Iterator[list[Any]]:
        """FlowRow's nat_local_address to nat_peer_port."""
        if not self._translations:
            yield from 4 * [[None] * len(starts)]
            return
        ends = self._translations.other_ends(keys)
        first = ends[starts]
        for name in ("local", "peer"):
            address = ends[f"{name}_address"]
            is_known = address[starts].any(axis=1) & _agree(ends["family"], starts)
            texts = _addresses(first, f"{name}_address")
            yield _common(texts, is_known & _agree(address, starts))
            yield _ports(ends[f"{name}_port"], starts)

    def _peer_name(self, address: str | None) -> str | None:
        return self._names.name_of(address) if self._names and address else None


def to_counts(counts: list[int]) -> FlowCounts:
    """COUNTS numbers, in the order of FLOW_COUNTS, as an object."""
    tx_bytes, rx_bytes, tx_calls, rx_calls, opened, closed, retransmits = counts[:_FIRST_RTT]
    errors = _connect_errors(counts[_FIRST_FAILED:])
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
