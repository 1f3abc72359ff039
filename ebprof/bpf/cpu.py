"""The CPU profiler's BPF side: cpu.bpf.c set up, loaded, attached, and read."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import COUNTERS, SAMPLE_KEY, STOP_REASONS, UNWIND_RULE
from ebprof.bpf import events, probe
from ebprof.bpf.events import Event, Scope
from ebprof.bpf.object import BpfObject
from ebprof.bpf.processes import ProcessEntries
from ebprof.bpf.records import RecordReader
from ebprof.bpf.shards import ShardMaps
from ebprof.errors import NoTargetError, UnsupportedError, UsageError

PROGRAM = "on_event"
SETTLE_SECONDS = 0.002
"""Far longer than the BPF program runs: after it nobody writes to the half that was left."""


@dataclass(frozen=True, slots=True)
class CpuOptions:
    """What the BPF program keeps of what it sees.

    pids: only these processes; empty: all. comm: only threads of this name; empty: all.
    follow: also what these processes create (not where `namespace` is given).
    namespace: (device, inode) of the PID namespace that pids are numbered in; None: the initial.
    """

    pids: frozenset[int] = frozenset()
    comm: str = ""
    user: bool = True
    kernel: bool = True
    idle: bool = False
    tables: bool = True
    frame_pointers: bool = True
    follow: bool = True
    namespace: tuple[int, int] | None = None


class CpuSession:
    """A loaded profiler; sampling starts with `start` and ends with `stop`.

    Raises UnsupportedError when the kernel refuses the program.
    """

    def __init__(self, options: CpuOptions) -> None:
        self._object = BpfObject(_choose_object())
        self.hash_seed = secrets.randbits(64)
        self._descriptors: list[int] = []
        self._gone: NoTargetError | None = None
        self._cleanup = ExitStack()
        self._reader: RecordReader | None = None
        try:
            self._load(options)
        except BaseException:
            self.close()
            raise

    def _load(self, options: CpuOptions) -> None:
        made = self._object
        made.set_constants(
            want_user=options.user,
            want_kernel=options.kernel,
            want_idle=options.idle,
            use_tables=options.tables,
            use_frame_pointers=options.frame_pointers,
            filter_pids=bool(options.pids),
            filter_comm=bool(options.comm),
            wanted_comm=_comm(options.comm),
            hash_seed=self.hash_seed,
        )
        if options.namespace:
            device, inode = options.namespace
            made.set_constants(pid_namespace_device=device, pid_namespace_inode=inode)
        made.set_max_entries("deferrals", lib.libbpf_num_possible_cpus())
        if not options.pids:
            made.set_max_entries("wanted_pids", 1)
        follow = options.follow and not options.namespace
        if not follow:
            made.skip_program("on_fork")
        if options.namespace:
            made.skip_program("on_exec")
        watch_memory = not options.namespace and probe.has_tracepoint("vm_unmapped_area")
        if not watch_memory:
            made.skip_program("on_unmapped_area")
        made.load()
        self._wanted = made.map("wanted_pids") if options.pids else None
        for pid in options.pids:
            made.map("wanted_pids").update(pid, np.ones(1, np.uint8))
        if follow:
            made.attach("on_fork")
        if not options.namespace:
            made.attach("on_exec")
        if watch_memory:
            made.attach("on_unmapped_area")
        self._reader = RecordReader(made.map("records"))
        self._counts = (made.map("counts_0"), made.map("counts_1"))
        self._variables = made.variables(".bss")
        self._active = made.variable_offset(".bss", "active_counts")
        self.capacity = self._counts[0].max_entries
        self.processes = ProcessEntries(made)
        self.shards = ShardMaps(made.map("shards"))
        self._cleanup.callback(self.shards.close)
        self.rules: NDArray[Any] = made.variables(".data.rules").view(UNWIND_RULE)

    @property
    def program(self) -> str:
        """Which BPF object this kernel took: `cpu` or `cpu_old`."""
        return self._object.name

    @property
    def reader(self) -> RecordReader:
        """Stacks at their first sight, deferred samples and notices."""
        assert self._reader is not None
        return self._reader

    def start(self, event: Event, frequency: int, scopes: Iterable[Scope], *, idle: bool) -> None:
        """Open the event for each scope and begin to sample.

        Threads that ended a moment ago are left out; raises NoTargetError when all did.
        """
        self._object.enable_statistics()
        for scope in scopes:
            self._attach(event, frequency, scope, idle=idle)
        if self._gone and not self._descriptors:
            raise self._gone

    def forget(self, pid: int) -> None:
        """A process is gone: its place among those that are sampled is free."""
        if self._wanted is not None:
            self._wanted.delete(pid)

    def _attach(self, event: Event, frequency: int, scope: Scope, *, idle: bool) -> None:
        try:
            fd = events.open_event(event, frequency, scope, idle=idle)
        except NoTargetError as error:
            self._gone = error
            return
        self._object.attach_event(PROGRAM, fd)
        self._descriptors.append(fd)

    def stop(self) -> None:
        """Sampling ends; what was counted stays readable."""
        events.disable(self._descriptors)

    def counters(self) -> dict[str, int]:
        """Counters of abi.h by name."""
        values = self._object.map("counters").per_cpu_sum(len(COUNTERS))
        return {c.name: int(v) for c, v in zip(COUNTERS, values, strict=True)}

    def stops(self) -> dict[str, int]:
        """Samples by stop reason."""
        values = self._object.map("stops").per_cpu_sum(len(STOP_REASONS))
        return {r.name: int(v) for r, v in zip(STOP_REASONS, values, strict=True)}

    def take_counts(self) -> tuple[NDArray[Any], NDArray[np.uint64]]:
        """All counts since the last call and forget them: SAMPLE_KEY[n], uint64[n].

        The two halves change places first, so that no count is written while it is read.
        """
        view = self._variables[self._active : self._active + 4].view(np.uint32)
        full = int(view[0])
        view[0] = 1 - full
        time.sleep(SETTLE_SECONDS)
        return self._counts[full].read(SAMPLE_KEY, np.dtype(np.uint64), delete=True)

    def run_statistics(self) -> tuple[int, float]:
        """Runs of the program, and seconds spent in it."""
        return self._object.run_statistics(PROGRAM)

    def close(self) -> None:
        """Detach and unload everything."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._cleanup.close()
        self._object.close()

    def __enter__(self) -> CpuSession:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _choose_object() -> str:
    """`cpu` where the kernel has all that it uses, else `cpu_old`, which does with less."""
    try:
        for name in probe.HELPERS:
            probe.check_helper(name)
        probe.check_growing_map()
    except UnsupportedError:
        return "cpu_old"
    return "cpu"


def _comm(name: str) -> bytes:
    encoded = name.encode()
    if len(encoded) > 15:
        raise UsageError(
            f"comm {name!r} is longer than the 15 bytes that the kernel keeps",
            f"use {encoded[:15].decode(errors='ignore')!r}",
        )
    return encoded.ljust(16, b"\0")
