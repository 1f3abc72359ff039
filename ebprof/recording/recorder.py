"""The run itself: set up, sample until it is over, join what was seen into a profile."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from math import inf
from typing import TypeVar

from ebprof._native import lib
from ebprof.abi import COMPLETE
from ebprof.bpf.cpu import CpuOptions, CpuSession, Filter
from ebprof.bpf.events import Scope
from ebprof.bpf.records import DeferredSample
from ebprof.bpf.sideband import Exited, Sideband
from ebprof.bpf.tasks import Only
from ebprof.durations import written
from ebprof.events import Event, Processes, choose, tend, warnings_of
from ebprof.identity.cgroups import open_cgroup
from ebprof.model import Profile
from ebprof.procfs import process
from ebprof.recording.statistics import (
    BpfStatistics,
    SampleStatistics,
    StackStatistics,
    Statistics,
    ToolStatistics,
    UnwindStatistics,
    UserCounts,
    seconds_since_start,
)
from ebprof.sampling.deferred import DeferredSamples
from ebprof.sampling.expectation import Expectation
from ebprof.sampling.launch import HeldCommand
from ebprof.sampling.limits import allow_many_files
from ebprof.sampling.members import Members
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.resolve import Resolver
from ebprof.sampling.stacks import StackStore, numbers_in
from ebprof.sampling.target import (
    Target,
    check_cpus,
    exit_descriptors,
    online_cpus,
    processes_of,
    scopes,
)
from ebprof.sampling.timeline import Timeline
from ebprof.sampling.tracker import Tracker
from ebprof.signals import SignalNotes, ending
from ebprof.symbolize.symbolizer import Symbolizer
from ebprof.unwind.memory import Shards
from ebprof.unwind.objects import ObjectStore
from ebprof.unwind.processes import ProcessStore
from ebprof.unwind.replay import Replayer
from ebprof.unwind.tables import TableStore
from ebprof.unwind.upkeep import Upkeep
from ebprof.walls import Walls

TICK_S = 0.25
PENDING_S = 0.05
"""How long to wait at most while something that was reported waits for its time."""
BATCH_S = 0.01
"""What happens within it after the first news is handled together with it."""
SETTLE_NS = 2_000_000
"""Far longer than it takes from the time of a record to its place in a ring."""
PRELOAD_S = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """How a recording stands."""

    elapsed_s: float
    duration_s: float | None
    samples: int
    complete_share: float | None


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run brought; the command's figures are 0 without one.

    sampling_end: time.monotonic().
    """

    profile: Profile
    statistics: Statistics
    sampling_end: float
    exit_code: int
    command_cpu_seconds: float
    warnings: tuple[str, ...]


class Recorder:
    """Records one run; every resource is given back by `close`.

    Raises NoTargetError, NoPermissionError, UnsupportedError or CommandError before sampling.
    """

    _is_command_mute = False

    def __init__(self, target: Target, options: RecordOptions) -> None:
        self._target = target
        self._options = options
        self._walls = Walls()
        self._cleanup = ExitStack()
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    def _set_up(self) -> None:
        target, options, walls = self._target, self._options, self._walls
        lib.memory_give_back()
        allow_many_files()
        process.check_proc()
        check_cpus(target.cpus)
        pids = processes_of(target)
        self._command = self._hold_command()
        named = [self._command.pid] if self._command else pids
        processes = Processes(tuple(named), follow=self._command is not None)
        self._event: Event = choose(options.event, processes)
        self._rate = self._event.rate(options.frequency, options.period)
        self._session = self._cleanup.enter_context(CpuSession(self._bpf_options()))
        self._sideband = self._open_sideband(named)
        self._timeline = Timeline(self._session.reader, self._sideband)
        self._members = self._gather(named)
        self._shards = Shards(self._session.shards)
        self._tables = TableStore(self._shards, self._session.rules, options.table_memory)
        self._objects = ObjectStore(
            self._tables,
            use_tables=options.call_graph != "fp",
            pause=self._timeline.relieve,
            on_drop=lambda known: self._resolver.drop(known),
            walls=walls,
        )
        self._cleanup.callback(self._objects.close)
        self._symbolizer = Symbolizer(inline=options.inline, walls=walls)
        self._cleanup.callback(self._symbolizer.close)
        self._resolver = Resolver(self._objects, self._symbolizer, walls)
        self._processes = ProcessStore(self._session.processes, self._shards, self._objects, walls)
        self._tracker = Tracker(self._processes, walls)
        self._load(named)
        self._store = StackStore(options.slice_ns)
        self._upkeep = self._make_upkeep()
        self._deferred = DeferredSamples(
            self._replayer(), self._processes, self._tracker, self._store
        )
        self._pending_keys = 0

    def _bpf_options(self) -> CpuOptions:
        target, options = self._target, self._options
        return CpuOptions(
            only=target.only,
            comm=target.comm,
            user=options.user,
            kernel=options.kernel,
            idle=self._samples_idle,
            tables=options.call_graph != "fp",
            frame_pointers=options.call_graph != "dwarf",
            namespace=process.own_pid_namespace(),
            slice_ns=options.slice_ns,
            sampler=self._event.sampler,
            loader=options.loader,
            filter=None if self._event.is_scheduled else self._filter(),
            constants=self._event.constants,
        )

    def _gather(self, named: list[int]) -> Members | None:
        """The target's tasks, which the kernel samples and follows from now on; None: all."""
        if self._session.tasks is None:
            return None
        only = self._target.only
        roots = self._target.tids if only is Only.THREADS else named
        members = Members(self._session.tasks, roots, only)
        self._sideband.add(members.pids)
        return members

    @property
    def _samples_idle(self) -> bool:
        """Only of clocks is it no news that nothing runs: what else happens then, does happen."""
        unit, _ = self._event.weight(self._rate)
        return self._options.idle or unit == "count"

    def _filter(self) -> Filter:
        """The target as the program itself is to see it."""
        target = self._target
        cgroup = open_cgroup(target.cgroup) if target.cgroup else None
        if cgroup is not None:
            self._cleanup.callback(os.close, cgroup)
        return Filter(target.cpus, cgroup, self._rate.period)

    def _make_upkeep(self) -> Upkeep:
        return Upkeep(
            self._objects,
            self._processes,
            used=self._count_objects,
            is_named=self._store.objects.__contains__,
            alive=process.all_processes,
            forget=self._forget,
        )

    def _replayer(self) -> Replayer:
        return Replayer(
            self._shards,
            self._session.rules,
            hash_seed=self._session.hash_seed,
            use_tables=self._options.call_graph != "fp",
            use_frame_pointers=self._options.call_graph != "dwarf",
        )

    def _hold_command(self) -> HeldCommand | None:
        if not self._target.command:
            return None
        command = HeldCommand(self._target.command, is_mute=self._is_command_mute)
        self._cleanup.callback(command.end)
        return command

    def _open_sideband(self, named: list[int]) -> Sideband:
        """What all processes do, or those alone that are sampled."""
        sideband = Sideband(online_cpus(), None if self._target.only is Only.ALL else named)
        self._cleanup.callback(sideband.close)
        return sideband

    def _load(self, named: list[int]) -> None:
        """Tables of what was asked for by name; of all others, as many as time allows."""
        for pid in filter(self._tracker.has_memory, named):
            self._processes.load(pid)
        others = process.all_processes() if self._members is None else self._members.pids
        self._tracker.load_all([pid for pid in others if pid not in self._processes], PRELOAD_S)

    def run(self, progress: Callable[[Progress], None]) -> Recording:
        """Sample until the duration is over, the target is gone or a signal comes."""
        with SignalNotes(*ending()) as interrupt:
            began = time.time_ns()
            self._start()
            ready = seconds_since_start()
            start = time.monotonic()
            self._session.start_slices(round(start * 1e9))
            try:
                self._record(interrupt, start, progress)
            finally:
                self._session.stop()
                if self._members:
                    self._members.end()
            end = time.monotonic()
            return self._result(began, start, end, ready)

    def _start(self) -> None:
        with ExitStack() as opened:
            scopes = self._scopes(opened) if self._event.is_scheduled else []
            if self._members:
                self._members.begin()
            self._event.attach(self._session, self._rate, scopes, idle=self._samples_idle)
        if self._command:
            self._command.release()

    def _scopes(self, opened: ExitStack) -> list[Scope]:
        target = self._target
        if target.cgroup:
            cgroup = open_cgroup(target.cgroup)
            opened.callback(os.close, cgroup)
            return [Scope(cpu=cpu, cgroup=cgroup) for cpu in target.cpus or online_cpus()]
        pids = self._members.pids if self._members else []
        return scopes(target, pids, by_task=self._event.is_counted_by_task(self._rate))

    def _record(
        self, interrupt: SignalNotes, start: float, progress: Callable[[Progress], None]
    ) -> None:
        duration = self._options.duration_s
        deadline = None if duration is None else start + duration
        shown = start
        with select.epoll() as poll, ExitStack() as opened:
            for fd in (interrupt.fd, *self._timeline.descriptors):
                poll.register(fd, select.EPOLLIN)
            alive = set(exit_descriptors(self._followed(), opened))
            for fd in alive:
                poll.register(fd, select.EPOLLIN)
            for ready in self._wait(poll, deadline):
                if interrupt.is_set:
                    return
                for fd in alive & ready:
                    alive.discard(fd)
                    poll.unregister(fd)
                self._drain(time.monotonic_ns() - SETTLE_NS)
                if self._is_over(bool(alive)):
                    return
                if time.monotonic() > shown + TICK_S:
                    shown = time.monotonic()
                    progress(self._progress(start))
                if ready:
                    time.sleep(BATCH_S)

    def _wait(self, poll: select.epoll, deadline: float | None) -> Iterator[set[int]]:
        """Descriptors that became readable, a few times a second at least, until the deadline."""
        while deadline is None or time.monotonic() < deadline:
            left = TICK_S if self._timeline.is_empty else PENDING_S
            if deadline is not None:
                left = min(left, deadline - time.monotonic())
            yield {fd for fd, _ in poll.poll(max(0.0, left))}

    def _followed(self) -> list[int]:
        if self._command:
            return [self._command.pid]
        return processes_of(self._target)

    def _is_over(self, any_alive: bool) -> bool:
        if self._command:
            return self._command.poll()
        return not any_alive and not self._target.is_system_wide

    def _drain(self, until_ns: float = inf) -> None:
        """Take in what the rings hold; changes and deferred samples up to a time only."""
        self._timeline.collect()
        new = [
            self._deferred.count(event, is_current=not self._timeline.is_ending(event.pid))
            for event in self._changes_followed(until_ns)
        ]
        self._tracker.refresh()
        for records in self._timeline.take_records():
            self._tracker.notice(records.notices)
            new.extend(self._store.add(records))
            self._pending_keys += len(records.stacks)
        self._resolver.submit(new)
        self._objects.use(numbers_in(frames for _, frames, _ in new))
        if self._pending_keys > self._session.capacity // 2:
            self._count()
        self._upkeep.tend()
        tend(self._event, self._session)

    def _changes_followed(self, until_ns: float) -> Iterator[DeferredSample]:
        """Deferred samples, each when the tracker stands where it was taken."""
        for event in self._timeline.take_until(until_ns):
            self._processes.known_until_ns = event.time
            if isinstance(event, DeferredSample):
                yield event
            else:
                self._tracker.follow(event)
                if isinstance(event, Exited):
                    self._end_process(event.pid)

    def _end_process(self, pid: int) -> None:
        self._resolver.end_process(pid, self._store.take_outside(pid))

    def _forget(self, pids: Iterable[int]) -> None:
        """Processes are gone whose end nobody reported."""
        gone = list(pids)
        self._tracker.forget(gone)
        for pid in gone:
            self._end_process(pid)

    def _count_objects(self) -> set[int]:
        """Objects that samples met lately."""
        self._count()
        return self._store.counted_objects()

    def _count(self) -> None:
        self._store.count(*self._session.take_counts())
        self._pending_keys = 0

    def _progress(self, start: float) -> Progress:
        counters, stops = self._session.counters(), self._stops()
        user = counters["user"]
        return Progress(
            elapsed_s=time.monotonic() - start,
            duration_s=self._options.duration_s,
            samples=counters["samples"],
            complete_share=stops[COMPLETE] / user if user else None,
        )

    def _stops(self) -> dict[str, int]:
        """Samples by stop reason, wherever they were unwound."""
        deferred = self._deferred.stops()
        return {name: n + deferred[name] for name, n in self._session.stops().items()}

    def _result(self, began: int, start: float, end: float, ready: float) -> Recording:
        self._drain()
        self._count()
        self._count()  # the other half
        samples = self._resolver.finish(self._store)
        unit, period = self._event.weight(self._rate)
        profile = Profile(
            samples=samples,
            event=self._event.name,
            unit=unit,
            period=period,
            time_ns=began,
            duration_ns=round((end - start) * 1e9),
            slice_ns=self._store.slice_ns,
        )
        return Recording(
            profile=profile,
            statistics=self._statistics(profile, end - start, ready),
            sampling_end=end,
            exit_code=self._command.exit_code if self._command else 0,
            command_cpu_seconds=self._command.cpu_seconds if self._command else 0.0,
            warnings=self._warnings(profile),
        )

    def _warnings(self, profile: Profile) -> tuple[str, ...]:
        joined = profile.slice_ns > self._options.slice_ns
        slices = [f"slices are {written(profile.slice_ns)} long: shorter ones were too many"]
        return (*self.warnings, *(slices if joined else ()))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong without ending the run, a sentence each."""
        own = warnings_of(self._event, self._session)
        return (*own, *self._tracker.warnings, *self._symbolizer.warnings, *self._walls.warnings)

    def _statistics(self, profile: Profile, duration: float, ready: float) -> Statistics:
        counters = self._counters()
        total = counters.pop("samples")
        return Statistics(
            event=self._event.name,
            frequency=self._rate.frequency,
            period=0 if self._rate.frequency else self._rate.period,
            duration_seconds=duration,
            samples=SampleStatistics(
                total=total,
                user=counters.pop("user"),
                kernel_only=counters.pop("kernel_only"),
                lost=total - profile.total,
                cpu_seconds=self._cpu_seconds,
            ),
            stacks=StackStatistics(
                unique=self._store.unique,
                stop={name: n for name, n in self._stops().items() if n},
            ),
            unwind=UnwindStatistics(
                objects=self._objects.seen,
                rows=self._objects.rows,
                table_bytes=4 * self._tables.most_words,
                compile_seconds=self._objects.compile_seconds,
            ),
            bpf=BpfStatistics(*self._session.run_statistics()),
            tool=ToolStatistics(ready, 0.0, 0.0, 0),
            counters={name: n for name, n in counters.items() if n},
            failures=dict(self._walls.places),
        )

    def _counters(self) -> dict[str, int]:
        counters = self._session.counters()
        return counters | asdict(self._user_counts(counters["samples"]))

    @property
    def _cpu_seconds(self) -> float | None:
        """What all that is sampled had so far; None where that is not known."""
        is_part = self._target.comm or self._target.cpus
        return None if self._members is None or is_part else self._members.cpu_seconds

    def _missing(self, taken: int) -> int:
        """Samples that CPU time says are missing; if negative, too many."""
        cpu_seconds = self._cpu_seconds
        if self._members is None or cpu_seconds is None or not self._event.is_clock:
            return 0
        _, period_ns = self._event.weight(self._rate)
        edge_s = self._members.edge_s * len(online_cpus())
        return Expectation(cpu_seconds, period_ns, edge_s).missing(taken)

    def _user_counts(self, taken: int) -> UserCounts:
        missing = self._missing(taken)
        return UserCounts(
            events_missed=self._session.missed_events(),
            changes_lost=self._tracker.lost,
            mappings_full=self._processes.cut,
            processes_full=self._processes.left_out,
            tables_full=self._objects.no_room,
            tables_evicted=self._upkeep.evicted,
            rules_full=self._tables.rules.overflowed,
            unreadable_files=self._objects.unreadable,
            files_full=self._objects.left_out,
            undersampled=max(0, missing),
            oversampled=max(0, -missing),
            slices_joined=self._store.slices_joined,
            readers_failed=self._walls.failed,
        )

    def close(self) -> None:
        """Detach, unload, close."""
        self._cleanup.close()

    def __enter__(self: AnyRecorder) -> AnyRecorder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


AnyRecorder = TypeVar("AnyRecorder", bound=Recorder)
