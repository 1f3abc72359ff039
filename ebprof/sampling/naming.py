"""Samples with names: each stack is named once, as long as that can be."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import STOP_REASONS
from ebprof.identity.sightings import Sightings
from ebprof.model import NONE, SAMPLE, Builder, Location, Samples, grouped
from ebprof.sampling.counts import Rows, WindowCounts
from ebprof.sampling.generations import Frames
from ebprof.sampling.resolve import Resolver, calls, distinct

_Stack = tuple[int, ...]
"""Numbers of locations, leaf first."""
_Thread = tuple[int, int]
"""Process and thread."""


@dataclass(frozen=True, slots=True)
class _PartlyNamed:
    """A stack with addresses outside of any object, which mean something in a process only.

    frames: uint64[n]; known: numbers of the locations of those that lie in objects.
    """

    frames: Frames
    known: dict[int, int]

    @property
    def outside(self) -> set[int]:
        return set(self.frames.tolist()) - self.known.keys()

    def named(self, jit: dict[int, int]) -> _Stack:
        return tuple(
            self.known[one] if one in self.known else jit[one] for one in self.frames.tolist()
        )


class Namer:
    """Makes samples of counts. Until `renew` they are of one lineage: equal stacks have one number.

    Addresses of JITs are looked up anew each time: their names come late, and change.
    """

    def __init__(self, resolver: Resolver, sightings: Sightings) -> None:
        self._resolver = resolver
        self._sightings = sightings
        self._comms: dict[_Thread, str] = {}
        self.renew()

    def renew(self) -> None:
        """Forget stacks, whose hashes may mean others from now on, and names of long ago."""
        self._builder = Builder()
        self._user: dict[int, _Stack | _PartlyNamed] = {}
        self._kernel: dict[int, _Stack] = {}
        self._old_comms, self._comms = self._comms, {}

    def samples(self, counts: WindowCounts) -> Samples:
        """A sample a row that counts any.

        A row that counts may come after the one that has its thread's name.
        """
        self._learn_comms(counts)
        counted = counts.rows[counts.rows["count"] > 0]
        keys, slice_ns = counted["key"], counts.slice_ns
        self._learn_user(_new(keys["user_stack"], self._user, counts.user))
        self._learn_kernel(_new(keys["kernel_stack"], self._kernel, counts.kernel))
        rows = np.zeros(len(keys), SAMPLE)
        rows["stack"] = self._stacks(keys)
        rows["pid"], rows["tid"] = keys["pid"], keys["tid"]
        rows["comm"] = self._comms_of(counted, counts.comms)
        rows["labels"] = self._labels(keys["pid"])
        rows["stop"] = self._strings(one.name for one in STOP_REASONS)[keys["stop"]]
        rows["time_ns"] = keys["slice"].astype(np.int64) * slice_ns if slice_ns else NONE
        self._builder.add_rows(rows, counted["count"].astype(np.int64))
        return self._builder.take()

    def _labels(self, pids: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Numbers of the labels of processes."""
        distinct_pids, places = np.unique(pids, return_inverse=True)
        labels = map(self._sightings.of, distinct_pids.tolist())
        return np.array([*map(self._builder.labels, labels)], np.uint32)[places]

    def _learn_comms(self, counts: WindowCounts) -> None:
        named = counts.rows[counts.rows["comm"] > 0]
        columns = named["key"]["pid"].tolist(), named["key"]["tid"].tolist(), named["comm"].tolist()
        for pid, tid, comm in zip(*columns, strict=True):
            self._comms[pid, tid] = counts.comms[comm]

    def _comms_of(self, rows: Rows, comms: list[str]) -> NDArray[np.int64]:
        """Names of the rows' threads, as numbers of strings; some came with another row."""
        found: NDArray[np.int64] = self._strings(comms)[rows["comm"]]
        for place in np.flatnonzero(rows["comm"] == 0).tolist():
            key = rows["key"][place]
            thread = int(key["pid"]), int(key["tid"])
            comm = self._comms.get(thread) or self._old_comms.get(thread, "")
            found[place] = self._builder.string(comm)
        return found

    def _learn_user(self, frames: dict[int, Frames]) -> None:
        by_frame = self._numbered(self._resolver.user_locations(distinct(frames.values())))
        for name, stack in frames.items():
            wanted = stack.tolist()
            known = {one: by_frame[one] for one in wanted if one in by_frame}
            is_named = len(known) == len(set(wanted))
            self._user[name] = (
                tuple(known[one] for one in wanted) if is_named else _PartlyNamed(stack, known)
            )

    def _learn_kernel(self, stacks: dict[int, Frames]) -> None:
        frames = {name: calls(stack) for name, stack in stacks.items()}
        by_address = self._numbered(self._resolver.kernel_locations(distinct(frames.values())))
        for name, addresses in frames.items():
            self._kernel[name] = tuple(by_address[one] for one in addresses.tolist())

    def _stacks(self, keys: Rows) -> NDArray[np.int64]:
        """The number of each key's stack; a run in slices has each in many keys."""
        columns = "pid", "user_stack", "kernel_stack"
        groups = grouped(*(keys[name] for name in columns))
        first = keys[groups.first]
        pids, users, kernels = (first[name].tolist() for name in columns)
        jit = self._find_jit(pids, users)
        found = [
            self._stack(jit.get(pid, {}), user, kernel)
            for pid, user, kernel in zip(pids, users, kernels, strict=True)
        ]
        return np.array(found, np.int64)[groups.of_row]

    def _find_jit(self, pids: list[int], users: list[int]) -> dict[int, dict[int, int]]:
        """Numbers of locations outside of objects, by process and address."""
        wanted: dict[int, set[int]] = {}
        for pid, user in zip(pids, users, strict=True):
            stack = self._user.get(user)
            if isinstance(stack, _PartlyNamed):
                wanted.setdefault(pid, set()).update(stack.outside)
        return {
            pid: self._numbered(self._resolver.jit_locations(pid, addresses))
            for pid, addresses in wanted.items()
        }

    def _stack(self, jit: dict[int, int], user: int, kernel: int) -> int:
        in_user = self._user.get(user, ())  # there is none, or it did not come (yet)
        if isinstance(in_user, _PartlyNamed):
            in_user = in_user.named(jit)
        return self._builder.stack(self._kernel.get(kernel, ()) + in_user)

    def _numbered(self, locations: dict[int, Location]) -> dict[int, int]:
        return {address: self._builder.location(one) for address, one in locations.items()}

    def _strings(self, texts: Iterable[str]) -> NDArray[np.int64]:
        return np.array([self._builder.string(one) for one in texts], np.int64)


def _new(
    names: NDArray[Any], known: Container[int], frames: Mapping[int, Frames]
) -> dict[int, Frames]:
    """Frames of stacks that are not known yet, and came."""
    new = (name for name in np.unique(names).tolist() if name not in known)
    return {name: frames[name] for name in new if name in frames}
