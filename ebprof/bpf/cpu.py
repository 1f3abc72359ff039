"""The CPU profiler's BPF side: cpu.bpf.c set up, loaded, attached, and read."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import COUNTERS, SAMPLE_KEY, STOP_REASONS, UNWIND_RULE
from ebprof.bpf import events, loaders, probe
from ebprof.bpf.events import Event, Rate, Scope
from ebprof.bpf.jitted import JitMap
from ebprof.bpf.maps import MapError, possible_cpus
from ebprof.bpf.object import BpfObject
from ebprof.bpf.processes import ProcessEntries
from ebprof.bpf.records import RecordReader
from ebprof.bpf.shards import ShardMaps
from ebprof.bpf.statistics import TimedShare
from ebprof.bpf.tasks import Only, TargetTasks
from ebprof.errors import NoTargetError, UnsupportedError, UsageError

PROGRAM = "on_event"
SETTLE_SECONDS = 0.002
"""Far longer than the BPF program runs: after it nobody writes to the half that was left."""
_PLACES_A_CPU = 4
"""Samples at work at a time, where one may interrupt another (workplace.bpf.h)."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What perf does not keep a program to that is not run by a perf event: it looks itself.

    cpus: only these; empty: all. cgroup: a descriptor of its directory; None: all.
    period: of the events on a CPU, each of this number; 1: all.
    """

    cpus: tuple[int, ...] = ()
    cgroup: int | None = None
    period: int = 1


@dataclass(frozen=True, slots=True)
class CpuOptions:
    """What the BPF program keeps of what it sees.

    only: which tasks; `CpuSession.tasks` takes them. comm: only threads of this name; empty: all.
    namespace: (device, inode) of the PID namespace that samples are numbered in; None: the initial.
    slice_ns: how long samples are counted together; 0: all the time.
    sampler: the BPF object, a name or another one's path, without `.bpf.o`.
    filter: for objects that no perf event runs. constants: what else the object wants to have set.
    loader: of loaders.LOADERS. is_always_timed: or for a share of the time; see TimedShare.
    """

    only: Only = Only.ALL
    comm: str = ""
    user: bool = True
    kernel: bool = True
    idle: bool = False
    tables: bool = True
    frame_pointers: bool = True
    namespace: tuple[int, int] | None = None
    slice_ns: int = 0
    sampler: str | Path = "cpu"
    filter: Filter | None = None
    constants: Mapping[str, int] = field(default_factory=dict)
    loader: str = loaders.AUTO
    is_always_timed: bool = True


class CpuSession:
    """A loaded profiler; sampling starts when it is attached to events and ends with `stop`.

    Raises UnsupportedError when the kernel refuses the program.
    """

    def __init__(self, options: CpuOptions) -> None:
        loader = loaders.choose(options.loader)
        self._object = loaders.open_object(_choose_object(options.sampler, loader), loader)
        self.hash_seed = secrets.randbits(64)
        self._timed = TimedShare(
            partial(self._object.run_statistics, PROGRAM), is_always=options.is_always_timed
        )
        self._descriptors: list[int] = []
        self._cleanup = ExitStack()
        self._reader: RecordReader | None = None
        self.tasks: TargetTasks | None = None
        """Who is sampled, where it is not all."""
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
            filter_comm=bool(options.comm),
            wanted_comm=_comm(options.comm),
            hash_seed=self.hash_seed,
            slice_ns=options.slice_ns,
            **options.constants,
        )
        if options.namespace:
            device, inode = options.namespace
            made.set_constants(pid_namespace_device=device, pid_namespace_inode=inode)
        made.set_max_entries("deferrals", possible_cpus())
        TargetTasks.set_up(made, options.only)
        watch_memory = made.has_tracepoint("vm_unmapped_area")
        if not watch_memory:
            made.skip_program("on_unmapped_area")
        if options.filter:
            _prepare_filter(made, options.filter)
        made.load()
        if made.has_map("walkers"):
            made.map("walkers").update(0, made.program_fd("on_walk"))
        if options.filter:
            _fill_filter(made, options.filter)
        if options.only is Only.ALL:
            made.attach("on_fork")
        else:
            self.tasks = TargetTasks(made, options.only)
        made.attach("on_exec")
        if watch_memory:
            made.attach("on_unmapped_area")
        self._reader = RecordReader(made.map("records"))
        self._counts = (made.map("counts_0"), made.map("counts_1"))
        self._variables = made.variables(".bss")
        self._active = made.variable_offset(".bss", "active_counts")
        self._slices_start = made.variable_offset(".bss", "slices_start")
        self._is_over = made.variable_offset(".bss", "is_over")
        self.capacity = self._counts[0].max_entries
        self.processes = ProcessEntries(made, are_watched=watch_memory)
        self.jitted = JitMap(made.map("jit_blocks")) if made.has_map("jit_blocks") else None
        self.shards = ShardMaps(made.map("shards"))
        self._cleanup.callback(self.shards.close)
        self.rules: NDArray[Any] = made.variables(".data.rules").view(UNWIND_RULE)

    @property
    def program(self) -> str:
        """Which BPF object this kernel took, such as `cpu` or `cpu_old`."""
        return self._object.name

    @property
    def reader(self) -> RecordReader:
        """Stacks at their first sight, deferred samples and notices."""
        assert self._reader is not None
        return self._reader

    def attach_perf_event(
        self, event: Event, rate: Rate, scopes: Iterable[Scope], *, idle: bool
    ) -> None:
        """Open a perf event for each scope and begin to sample.

        Threads that ended a moment ago are left out; raises NoTargetError when all did.
        """
        self._timed.tick()
        gone: NoTargetError | None = None
        for scope in scopes:
            try:
                fd = events.open_event(event, rate, scope, idle=idle)
            except NoTargetError as error:
                gone = error
                continue
            self._object.attach_event(PROGRAM, fd)
            self._descriptors.append(fd)
        if gone and not self._descriptors:
            raise gone

    def set_period(self, period: int) -> None:
        """Have perf events of a clock sample after so many nanoseconds from now on."""
        events.set_period(self._descriptors, period)

    def attach_tracepoint(self, name: str, number: int) -> None:
        """Begin to sample at a tracepoint, on all CPUs; number: its ID in tracefs."""
        self._timed.tick()
        event = Event(name, events.PERF_TYPE_TRACEPOINT, number)
        fd = events.open_event(event, Rate(), Scope(cpu=min(os.sched_getaffinity(0))))
        self._object.attach_event(PROGRAM, fd)

    def attach_function(self, path: str, offset: int, pid: int = -1) -> None:
        """Begin to sample where code at an offset of a file is reached, in a process or in all."""
        self._timed.tick()
        self._object.attach_function(PROGRAM, path, offset, pid)

    def start_slices(self, time_ns: int) -> None:
        """Slices of time count from then on (CLOCK_MONOTONIC); what was before is in the first."""
        at = self._slices_start
        self._variables[at : at + 8].view(np.uint64)[0] = time_ns

    def stop(self) -> None:
        """Sampling ends, on all CPUs at once; what was counted stays readable.

        May be called by another thread than the one that attaches. Events that perf does not
        schedule run the program in vain until it is detached.
        """
        self._variables[self._is_over : self._is_over + 4].view(np.uint32)[0] = 1
        events.disable(self._descriptors)

    def detach(self) -> None:
        """Nothing runs the program any more."""
        if not self._descriptors:
            self._object.detach(PROGRAM)

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
        return self._timed.total()

    def tend(self) -> None:
        """To be called a few times a second, or as often as can be."""
        self._timed.tick()

    def missed_events(self) -> int:
        """Events at which another BPF program was running on the CPU: not samples."""
        return self._object.missed_runs(PROGRAM)

    def close(self) -> None:
        """Detach and unload everything."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._timed.close()
        self._cleanup.close()
        self._object.close()

    def __enter__(self) -> CpuSession:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _prepare_filter(made: BpfObject, wanted: Filter) -> None:
    cpus = possible_cpus()
    made.set_constants(
        filter_cpus=bool(wanted.cpus),
        filter_cgroup=wanted.cgroup is not None,
        period=wanted.period,
    )
    made.set_max_entries("wanted_cpus", cpus)
    if made.has_map("workplaces"):
        made.set_max_entries("workplaces", _PLACES_A_CPU * cpus)


def _fill_filter(made: BpfObject, wanted: Filter) -> None:
    yes = np.ones(1, np.uint8)
    for cpu in wanted.cpus:
        made.map("wanted_cpus").update(cpu, yes)
    if wanted.cgroup is not None:
        _want_cgroup(made, wanted.cgroup)


def _want_cgroup(made: BpfObject, descriptor: int) -> None:
    try:
        made.map("wanted_cgroup").update(0, descriptor)
    except MapError:
        raise UnsupportedError(
            "BPF programs know cgroups of the v2 hierarchy only",
            "give a path below a cgroup2 mount",
        ) from None


def _choose_object(sampler: str | Path, loader: str) -> str | Path:
    """The sampler where the kernel has all that it uses, else the `_old` one for less.

    bcc makes no function that is called, as a step of bpf_loop is.
    """
    old = "" if loader == loaders.LIBBPF and _has_all_helpers() else "_old"
    if isinstance(sampler, Path):
        return sampler.with_name(f"{sampler.name}{old}.bpf.o")
    return f"{sampler}{old}"


def _has_all_helpers() -> bool:
    try:
        for name in probe.HELPERS:
            probe.check_helper(name)
        probe.check_growing_map()
    except UnsupportedError:
        return False
    return True


def _comm(name: str) -> bytes:
    encoded = os.fsencode(name)
    if len(encoded) > 15:
        raise UsageError(
            f"comm {_shown(encoded)!r} is longer than the 15 bytes that the kernel keeps",
            f"use {_shown(encoded[:15])!r}",
        )
    return encoded.ljust(16, b"\0")


def _shown(name: bytes) -> str:
    return name.decode(errors="ignore")
