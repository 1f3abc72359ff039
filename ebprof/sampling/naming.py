"""Samples with names while a run goes on: each stack is named once, as long as that can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ebprof.abi import STOP_REASONS
from ebprof.model import Location, Sample
from ebprof.sampling.counts import Rows
from ebprof.sampling.resolve import Resolver, Stack, calls, distinct
from ebprof.sampling.stacks import FramesByStack, StackStore

MAX_JIT_PROCESSES = 256


@dataclass(frozen=True, slots=True)
class _PartlyNamed:
    """A stack with addresses outside of any object, which mean something in a process only."""

    places: tuple[Location | int, ...]

    @property
    def outside(self) -> set[int]:
        return {one for one in self.places if isinstance(one, int)}

    def named(self, jit: dict[int, Location]) -> Stack:
        return tuple(jit[one] if isinstance(one, int) else one for one in self.places)


class Namer:
    """Makes samples of counts. Equal stacks are one tuple, so that callers can tell by identity.

    Addresses of JITs are looked up anew each time: their names come late, and change.
    """

    def __init__(self, resolver: Resolver, store: StackStore) -> None:
        self._resolver = resolver
        self._store = store
        self._comms: dict[tuple[int, int], int] = {}
        self._user: dict[int, Stack | _PartlyNamed] = {}
        self._kernel: dict[int, Stack] = {}
        self._joined: dict[tuple[int, int], Stack] = {}
        self._jit: dict[int, dict[tuple[int, int], Stack]] = {}

    def samples(self, rows: Rows, comms: list[str]) -> tuple[Sample, ...]:
        """A sample a row (COUNTED_KEY[n]) that counts any; comms: names by the rows' numbers.

        A row that counts may come after the one that has its thread's name.
        """
        self._learn_comms(rows)
        rows = rows[rows["count"] > 0]
        keys = rows["key"]
        self._learn_user(_new(keys["user_stack"], self._user, self._store.user))
        self._learn_kernel(_new(keys["kernel_stack"], self._kernel, self._store.kernel))
        jit = self._learn_jit(keys["pid"].tolist(), keys["user_stack"].tolist())
        columns = (
            keys[name].tolist() for name in ("pid", "tid", "user_stack", "kernel_stack", "stop")
        )
        return tuple(
            Sample(
                pid=pid,
                tid=tid,
                comm=comms[comm or self._comms.get((pid, tid), 0)],
                locations=self._stack(pid, user, kernel, jit),
                stop=STOP_REASONS[stop].name,
                count=count,
            )
            for pid, tid, user, kernel, stop, comm, count in zip(
                *columns, rows["comm"].tolist(), rows["count"].tolist(), strict=True
            )
        )

    def _learn_comms(self, rows: Rows) -> None:
        named = rows[rows["comm"] > 0]
        pids, tids = named["key"]["pid"].tolist(), named["key"]["tid"].tolist()
        self._comms.update(zip(zip(pids, tids, strict=True), named["comm"].tolist(), strict=True))

    def _learn_user(self, names: list[int]) -> None:
        frames = {name: self._store.user[name] for name in names}
        by_frame = self._resolver.user_locations(distinct(frames.values()))
        for name, addresses in frames.items():
            places = tuple(by_frame.get(one, one) for one in addresses.tolist())
            is_named = all(isinstance(one, Location) for one in places)
            self._user[name] = places if is_named else _PartlyNamed(places)

    def _learn_kernel(self, names: list[int]) -> None:
        frames = {name: calls(self._store.kernel[name]) for name in names}
        by_address = self._resolver.kernel_locations(distinct(frames.values()))
        for name, addresses in frames.items():
            self._kernel[name] = tuple(by_address[one] for one in addresses.tolist())

    def _learn_jit(self, pids: list[int], users: list[int]) -> dict[int, dict[int, Location]]:
        wanted: dict[int, set[int]] = {}
        for pid, user in zip(pids, users, strict=True):
            stack = self._user.get(user)
            if isinstance(stack, _PartlyNamed):
                wanted.setdefault(pid, set()).update(stack.outside)
        for pid in wanted:  # those that were met lately come last, the others go
            self._jit[pid] = self._jit.pop(pid, {})
        while len(self._jit) > max(MAX_JIT_PROCESSES, len(wanted)):
            del self._jit[next(iter(self._jit))]
        return {
            pid: self._resolver.jit_locations(pid, addresses) for pid, addresses in wanted.items()
        }

    def _stack(
        self, pid: int, user: int, kernel: int, jit: dict[int, dict[int, Location]]
    ) -> Stack:
        in_user = self._user.get(user)
        if in_user is None:  # there is none, or it did not come (yet)
            return self._kernel.get(kernel, ())
        if isinstance(in_user, _PartlyNamed):
            named = self._kernel.get(kernel, ()) + in_user.named(jit[pid])
            known = self._jit[pid].get((user, kernel))
            if known != named:
                known = self._jit[pid][user, kernel] = named
            return known
        stack = self._joined.get((user, kernel))
        if stack is None:
            stack = self._joined[user, kernel] = self._kernel.get(kernel, ()) + in_user
        return stack


def _new(
    names: np.ndarray[tuple[int, ...], np.dtype[np.uint64]],
    known: Iterable[int],
    frames: FramesByStack,
) -> list[int]:
    return [name for name in np.unique(names).tolist() if name not in known and name in frames]
