"""The traffic programs: traffic_*.bpf.c loaded, attached, seeded, and drained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import (
    FLOW_COUNTS,
    FLOW_KEY,
    LATENCY_MAX,
    LISTENER,
    LISTENING,
    OWNER,
    PAIR,
    PAIR_KEY,
    PROCESS_ID,
    TRAFFIC_COUNTERS,
)
from ebprof.bpf import loaders
from ebprof.bpf.maps import BpfMap
from ebprof.bpf.statistics import TimedShare
from ebprof.errors import UnsupportedError

_HALVES = ("flows_0", "flows_1")
_LIFE = ("on_set_state", "on_destroy", "on_exec")
_SEEDS = ("on_seed_listeners", "on_seed_sockets")
_DRAINS = {"on_drain": "sockets", "on_drain_mptcp": "mptcp_sockets"}
"""Program -> the map that it iterates over; the second where MPTCP has a map of its own."""
_PAIRS = "pairs"
_NAMED_PAIRS = 16384
"""Connections whose ends are read; those that are told apart are a fleet's, and may be more."""
_SOME_BACKLOG = 1
"""Of listeners of which it is not known."""


@dataclass(frozen=True, slots=True)
class TrafficPrograms:
    """What a traffic object has besides the programs that all of them have.

    calls: programs at sends and receives, which may be none. optional: program -> kernel function
    that it hooks, for functions that not every kernel has. without_mptcp: the object for kernels
    on which MPTCP cannot be followed, where it is another.
    """

    object_name: str
    calls: tuple[str, ...]
    optional: tuple[tuple[str, str], ...] = ()
    without_mptcp: str = ""


@dataclass(frozen=True, slots=True)
class FlowBatch:
    """What happened since the last drain.

    keys: FLOW_KEY[n], each once; counts: FLOW_COUNTS[n]; other: FLOW_COUNTS[1], flows that found
    no room; processes: PROCESS_ID[m] and owners: OWNER[m], processes at their first sight (a
    process may come again).
    """

    keys: NDArray[Any]
    counts: NDArray[Any]
    other: NDArray[Any]
    processes: NDArray[Any]
    owners: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Listening:
    """A process that listens.

    network: the namespace's inode number; family and address: as flow keys have them, the address
    all 0 for any; start: as PROCESS_ID has it.
    """

    network: int
    port: int
    family: int
    address: bytes
    pid: int
    start: int


def why_no_mptcp() -> str:
    """What this kernel lacks to follow connections of MPTCP; empty where it lacks nothing."""
    btf = lib.btf__load_vmlinux_btf()
    if not btf:
        return "this kernel has no BTF, which tells where a connection's counts are"
    try:
        if lib.field_find(btf, b"mptcp_sock", b"write_seq") < 0:
            return "this kernel has no MPTCP"
        if lib.field_find(btf, b"mptcp_sock", b"bytes_consumed") < 0:
            return "this kernel does not count what was read of a connection of MPTCP"
    finally:
        lib.btf__free(btf)
    return ""


class TrafficSession:
    """Loaded programs; counting starts with `start`.

    counts_calls: whether sends and receives are hooked; bytes are counted without that too.

    max_flows: how many may change between two drains; what is beyond goes to `other`. loader: of
    loaders.LOADERS. listening: who listens, asked where no program can look. namespace: ours of
    PIDs (device, inode), None for the host's; those of OWNER are of it. pairing: of pairing_mode.
    Raises UnsupportedError when the kernel refuses them, NoPermissionError without the right to.
    """

    def __init__(
        self,
        programs: TrafficPrograms,
        max_flows: int = lib.MAX_FLOWS,
        loader: str = loaders.AUTO,
        listening: Callable[[], Iterable[Listening]] = tuple,
        namespace: tuple[int, int] | None = None,
        *,
        pairing: int = lib.PAIRING_OFF,
    ) -> None:
        name = programs.object_name
        if programs.without_mptcp and why_no_mptcp():
            name = programs.without_mptcp
        self._object = loaders.open_object(name, loader)
        self._calls = programs.calls
        self.counts_calls = False
        self._seeds = _SEEDS if self._object.iterates_tasks else ()
        self._listening = listening
        self._timed = TimedShare(self._statistics)
        try:
            for half in _HALVES:
                self._object.set_max_entries(half, max_flows)
            self._can_pair = self._object.has_map(_PAIRS)
            if self._can_pair and pairing != lib.PAIRING_APART:
                self._object.set_max_entries(_PAIRS, _NAMED_PAIRS if pairing else 1)
            self._load(programs.optional)
            self._variable("pairing", np.dtype(np.uint32))[0] = pairing
            self._set_namespace(namespace or (0, 0))
        except BaseException:
            self.close()
            raise

    def _load(self, optional: Iterable[tuple[str, str]]) -> None:
        made = self._object
        for program, function in optional:
            if made.has_function(function):
                self._calls += (program,)
            else:
                made.skip_program(program)
        for program in set(_SEEDS) - set(self._seeds):
            made.skip_program(program)
        made.load()
        self._halves = [made.map(half) for half in _HALVES]
        self._active = 0
        self._flows: BpfMap = made.map("flows")
        self._flows.update(0, self._halves[0].fd)
        self._owners: BpfMap = made.map("owners")
        self._bss = made.variables(".bss")
        self._other = self._variable("other", FLOW_COUNTS)
        self._drains = self._variable("drains", np.dtype(np.uint32))
        self._other_before = np.zeros(1, FLOW_COUNTS)
        self._seed = [made.iterate(program) for program in self._seeds]
        self._drains_of = {name: over for name, over in _DRAINS.items() if made.has_map(over)}
        self._drain = [made.iterate(name, made.map(over)) for name, over in self._drains_of.items()]

    def _variable(self, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
        at = self._object.variable_offset(".bss", name)
        return self._bss[at : at + dtype.itemsize].view(dtype)

    def _set_namespace(self, namespace: tuple[int, int]) -> None:
        names = "pid_namespace_device", "pid_namespace_inode"
        for name, value in zip(names, namespace, strict=True):
            self._variable(name, np.dtype(np.uint64))[0] = value

    def start(self) -> None:
        """Attach, and find the sockets that exist already: who listens first, for the roles."""
        made = self._object
        self._timed.tick()
        for program in _LIFE:
            made.attach(program)
        for seed in self._seed:
            seed.run()
        if not self._seed:
            self._introduce_listeners()
        self.hook_calls()

    @property
    def can_unhook_calls(self) -> bool:
        """Whether there are hooks, and sockets are found without them."""
        return bool(self._calls and self._seed)

    def hook_calls(self) -> None:
        """Count sends and receives. Raises UnsupportedError, and then none is hooked."""
        try:
            for program in self._calls:
                self._object.attach(program)
        except UnsupportedError:
            self.unhook_calls()
            raise
        self.counts_calls = bool(self._calls)

    def unhook_calls(self) -> None:
        """Count them no more: they cost nothing then, and bytes are seen by the drains alone."""
        for program in self._calls:
            self._object.detach(program)
        self.counts_calls = False

    def drain(self) -> FlowBatch:
        """Settle all sockets, and take what was counted since the last call."""
        self._timed.tick()
        self._drains += 1
        if not self.counts_calls:  # then no call tells whose the new sockets are
            for seed in self._seed[1:]:
                seed.run()
        for drain in self._drain:
            drain.run()
        keys, counts = self._take_flows()
        processes, owners = self._owners.read(PROCESS_ID, OWNER, delete=True)
        return FlowBatch(keys, counts, self._take_other(), processes, owners)

    def pairs(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The last connections within this machine: PAIR_KEY[n], PAIR[n]; none where bcc loads."""
        if not self._can_pair:
            return np.zeros(0, PAIR_KEY), np.zeros(0, PAIR)
        return self._object.map(_PAIRS).read(PAIR_KEY, PAIR)

    def counters(self) -> dict[str, int]:
        """Counters of traffic_abi.h by name, since the start."""
        values = self._object.map("traffic_counters").per_cpu_sum(len(TRAFFIC_COUNTERS))
        return {c.name: int(v) for c, v in zip(TRAFFIC_COUNTERS, values, strict=True)}

    def overhead(self) -> tuple[int, float]:
        """Runs of all programs and seconds spent in them, scaled up from what was timed."""
        return self._timed.total()

    def _statistics(self) -> tuple[int, float]:
        programs = (*_LIFE, *self._seeds, *self._drains_of, *self._calls)
        runs, seconds = zip(*map(self._object.run_statistics, programs), strict=True)
        return sum(runs), sum(seconds)

    def close(self) -> None:
        """Detach and unload everything."""
        self._timed.close()
        self._object.close()

    def __enter__(self) -> TrafficSession:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _introduce_listeners(self) -> None:
        listeners = self._object.map("listeners")
        for one in self._listening():
            address = np.frombuffer(one.address, np.uint8)
            key = np.array([(one.network, one.port, one.family, address)], LISTENER)
            known = one.start << 32 | one.pid, 0, _SOME_BACKLOG, 1
            listeners.update(key, np.array([known], LISTENING))

    def _take_flows(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Put the other half in place: once that is done nobody writes to the first any more."""
        full = self._halves[self._active]
        self._active = 1 - self._active
        self._flows.update(0, self._halves[self._active].fd)
        return full.read(FLOW_KEY, FLOW_COUNTS, delete=True)

    def _take_other(self) -> NDArray[Any]:
        now = self._other.copy()
        self._other[LATENCY_MAX] = 0
        change = now.copy()
        for name in set(FLOW_COUNTS.names or ()) - {LATENCY_MAX}:
            change[name] -= self._other_before[name]
        self._other_before = now
        return change
