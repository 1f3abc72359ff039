"""Where samples come from: the event, the BPF programs that run at it, and whom they sample."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from ebprof._native import lib
from ebprof.bpf.cpu import CpuOptions, CpuSession, Filter
from ebprof.bpf.events import Rate, Scope
from ebprof.bpf.sideband import Sideband
from ebprof.bpf.tasks import Only
from ebprof.events import Event, Processes, choose, tend, warnings_of
from ebprof.identity.cgroups import open_cgroup
from ebprof.model import Profile, Samples
from ebprof.procfs import process
from ebprof.sampling.expectation import Expectation
from ebprof.sampling.launch import HeldCommand
from ebprof.sampling.limits import allow_many_files
from ebprof.sampling.members import Members
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.target import (
    Target,
    check_cpus,
    exit_descriptors,
    online_cpus,
    processes_of,
    scopes,
)
from ebprof.walls import Walls


@dataclass(frozen=True, slots=True)
class Sampled:
    """What is sampled. unit, period: what a sample stands for, as in a Profile."""

    event: str
    rate: Rate
    unit: str
    period: int

    def describe(self) -> str:
        """`cpu-clock at 99 Hz`."""
        return self.rate.describe(self.event)

    def profile(self, samples: Samples, time_ns: int, duration_ns: int) -> Profile:
        """Samples of it as a profile. time_ns: Unix time of its start."""
        return Profile(
            samples=samples,
            event=self.event,
            unit=self.unit,
            period=self.period,
            time_ns=time_ns,
            duration_ns=duration_ns,
        )

    def cores(self, samples: int, seconds: float) -> float | None:
        """How many cores so many samples kept busy; None where they are not CPU time."""
        if self.unit != "nanoseconds" or not self.period or seconds <= 0:
            return None
        return samples * self.period / 1e9 / seconds

    def pace(self, samples: int, seconds: float) -> str:
        """`99 samples/s`; where the number of events is known, `2,340 events/s`."""
        is_counted = self.unit == "count" and self.period
        amount = samples * self.period if is_counted else samples
        each_second = amount / seconds if seconds else 0.0
        return f"{each_second:,.0f} {'events' if is_counted else 'samples'}/s"


class Source:
    """Samples of a target from `start` to `stop`; all is given back by `close`.

    session: the programs, loaded. sideband: reports what the target's processes do. members: the
    target's tasks, which the kernel follows; None: all. named: processes that were asked for.
    walls: stand around what is read of processes. is_mute: a command reads and writes nothing.

    Raises NoTargetError, NoPermissionError, UnsupportedError or CommandError.
    """

    def __init__(
        self,
        target: Target,
        options: RecordOptions,
        walls: Walls | None = None,
        *,
        is_mute: bool = False,
    ) -> None:
        self._target = target
        self._walls = walls or Walls()
        self._options = options
        self._cleanup = ExitStack()
        try:
            self._set_up(is_mute)
        except BaseException:
            self.close()
            raise

    def _set_up(self, is_mute: bool) -> None:
        target, options = self._target, self._options
        lib.memory_give_back()
        allow_many_files()
        process.check_proc()
        check_cpus(target.cpus)
        pids = processes_of(target)
        self._command = self._hold_command(is_mute)
        self.named = [self._command.pid] if self._command else pids
        processes = Processes(tuple(self.named), self._command is not None, self._walls)
        self._event: Event = choose(options.event, processes)
        self._rate = self._event.rate(options.frequency, options.period)
        self.session = self._cleanup.enter_context(CpuSession(self._bpf_options()))
        self.sideband = self._open_sideband()
        self.members = self._gather()
        self._exits = set(exit_descriptors(self.named, self._cleanup))

    @property
    def sampled(self) -> Sampled:
        """What is sampled, and how often."""
        return Sampled(self._event.name, self._rate, *self._event.weight(self._rate))

    @property
    def exits(self) -> frozenset[int]:
        """Descriptors of what was asked for and runs: each becomes readable at its end."""
        return frozenset(self._exits)

    def note_exit(self, fd: int) -> None:
        """A descriptor of `exits` became readable."""
        self._exits.discard(fd)

    @property
    def is_over(self) -> bool:
        """Whether nothing of the target can run any more."""
        if self._command:
            return self._command.poll()
        return not self._exits and not self._target.is_system_wide

    @property
    def exit_code(self) -> int:
        """The command's; 0 without one."""
        return self._command.exit_code if self._command else 0

    @property
    def command_cpu_seconds(self) -> float:
        """What the command and its children took, once it has ended."""
        return self._command.cpu_seconds if self._command else 0.0

    def start(self) -> float:
        """Begin to sample; returns when all began (time.monotonic())."""
        with ExitStack() as opened:
            found = list(self._scopes(opened)) if self._event.is_scheduled else []
            if self.members:
                self.members.begin()
            self._event.attach(self.session, self._rate, found, idle=self._samples_idle)
        if self._command:
            self._command.release()
        start = time.monotonic()
        self.session.start_slices(round(start * 1e9))
        return start

    def set_frequency(self, frequency: int) -> None:
        """Sample a clock at so many Hz from now on. What was counted before has to be taken first:
        each of those samples stands for another time.
        """
        assert self._event.is_clock
        self._rate = self._event.rate(frequency, None)
        _, period = self._event.weight(self._rate)
        self.session.set_period(period)

    def tend(self) -> None:
        """Let the event do what it has to while the run lasts."""
        self.session.tend()
        tend(self._event, self.session)

    def stop(self) -> float:
        """Sampling ends; returns when (time.monotonic()). Any thread may do it."""
        self.session.stop()
        end = time.monotonic()
        if self.members:
            self.members.end()
        return end

    def detach(self) -> None:
        """Events cost nothing any more; after `stop`."""
        self.session.detach()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why events may be missing."""
        return warnings_of(self._event, self.session)

    @property
    def cpu_seconds(self) -> float | None:
        """What all that is sampled had so far; None where that is not known."""
        is_part = self._target.comm or self._target.cpus
        return None if self.members is None or is_part else self.members.cpu_seconds

    def missing(self, taken: int) -> int:
        """Samples that CPU time says are missing; if negative, too many."""
        cpu_seconds = self.cpu_seconds
        if self.members is None or cpu_seconds is None or not self._event.is_clock:
            return 0
        edge_s = self.members.edge_s * len(online_cpus())
        return Expectation(cpu_seconds, self.sampled.period, edge_s).missing(taken)

    def close(self) -> None:
        """Detach, unload, close."""
        self._cleanup.close()

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
            is_always_timed=options.is_always_timed,
            filter=None if self._event.is_scheduled else self._filter(),
            constants=self._event.constants,
        )

    @property
    def _samples_idle(self) -> bool:
        """Idle CPUs are left out of time only: other events that happen on one are counted."""
        return self._options.idle or self.sampled.unit == "count"

    def _filter(self) -> Filter:
        """The target as the program itself is to see it."""
        cgroup = open_cgroup(self._target.cgroup) if self._target.cgroup else None
        if cgroup is not None:
            self._cleanup.callback(os.close, cgroup)
        return Filter(self._target.cpus, cgroup, self._rate.period)

    def _hold_command(self, is_mute: bool) -> HeldCommand | None:
        if not self._target.command:
            return None
        command = HeldCommand(self._target.command, is_mute=is_mute)
        self._cleanup.callback(command.end)
        return command

    def _open_sideband(self) -> Sideband:
        """What all processes do, or those alone that are sampled."""
        pids = None if self._target.only is Only.ALL else self.named
        sideband = Sideband(online_cpus(), pids)
        self._cleanup.callback(sideband.close)
        return sideband

    def _gather(self) -> Members | None:
        """The target's tasks, which the kernel samples and follows from now on; None: all."""
        if self.session.tasks is None:
            return None
        only = self._target.only
        roots = self._target.tids if only is Only.THREADS else self.named
        members = Members(self.session.tasks, roots, only, self._walls)
        self.sideband.add(members.pids)
        return members

    def _scopes(self, opened: ExitStack) -> Iterator[Scope]:
        target = self._target
        if target.cgroup:
            cgroup = open_cgroup(target.cgroup)
            opened.callback(os.close, cgroup)
            yield from (Scope(cpu=cpu, cgroup=cgroup) for cpu in target.cpus or online_cpus())
            return
        pids = self.members.pids if self.members else []
        yield from scopes(target, pids, by_task=self._event.is_counted_by_task(self._rate))
