"""A run: set up, drained, its counts taken window by window, closed."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import ExitStack

from ebprof.identity.sightings import Reader, Sightings
from ebprof.procfs import process
from ebprof.sampling.accounts import Accounts
from ebprof.sampling.code import Code
from ebprof.sampling.intake import Intake
from ebprof.sampling.naming import Namer
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.resolve import Resolver
from ebprof.sampling.retention import Retention
from ebprof.sampling.source import Sampled, Source
from ebprof.sampling.stacks import StackStore
from ebprof.sampling.target import Target
from ebprof.sampling.timeline import Timeline
from ebprof.sampling.windows import Window, Windows
from ebprof.symbolize.elsewhere import Elsewhere
from ebprof.symbolize.node import Met, NodeSymbolizer
from ebprof.symbolize.symbolizer import Symbolizer
from ebprof.walls import Walls

TICK_S = 0.25
PENDING_S = 0.05
"""How long to wait at most while something that was reported waits for its time."""
BATCH_S = 0.01
"""What happens within it after the first news is handled together with it."""
FULL_S = 1.0
"""How long a window is at least that is taken for want of numbers."""
SETTLE_NS = 2_000_000
"""Far longer than it takes from the time of a record to its place in a ring."""


class SamplingRun:
    """Samples from `start` to `stop`. Whoever has one polls `fd`, calls `tend` when it is readable
    and every `tend_s` seconds, `take` for each window that it wants, and `named` for those that are
    ready: names are looked up in the background, and may come a while later. Where numbers of files
    or processes are to be used again, `tend` takes a window too.

    source, symbolizer: are closed with the run. walls: stand around what is read in it. read:
    labels of processes, see Sightings.
    """

    def __init__(
        self,
        source: Source,
        options: RecordOptions,
        symbolizer: Symbolizer,
        walls: Walls,
        read: Reader | None = None,
    ) -> None:
        self._source = source
        self._cleanup = ExitStack()
        self._cleanup.callback(source.close)
        self._cleanup.callback(symbolizer.close)
        try:
            self._compose(options, symbolizer, walls, Sightings(walls, read))
        except BaseException:
            self.close()
            raise

    def _compose(
        self, options: RecordOptions, symbolizer: Symbolizer, walls: Walls, sightings: Sightings
    ) -> None:
        source, session = self._source, self._source.session
        self._poll = self._cleanup.enter_context(select.epoll())
        self._timeline = Timeline(session.reader, source.sideband, walls)
        self._sightings = sightings
        code = Code(session, self._timeline, options, walls, symbolizer.debug_file)
        self._cleanup.callback(code.close)
        members = source.members
        code.load(source.named, process.all_processes() if members is None else members.pids)
        stacks = StackStore(options.slice_ns)
        resolver = Resolver(code.objects, symbolizer, walls)
        self._cleanup.callback(resolver.close)
        namer = Namer(resolver, sightings)
        retention = Retention(stacks, code.objects, resolver, namer)
        self._windows = Windows(stacks, resolver, namer, retention, walls)
        self._intake = Intake(
            session, self._timeline, code, stacks, resolver, sightings, self._windows
        )
        self._objects = code.objects
        self.accounts = Accounts(
            source, code, self._intake, stacks, self._windows, symbolizer, walls
        )

    @property
    def sampled(self) -> Sampled:
        """What is sampled, and how often."""
        return self._source.sampled

    @property
    def is_one_process(self) -> bool:
        """Whether the target is one process, and had no other beneath it at the start."""
        members = self._source.members
        return members is not None and len(members.pids) == 1

    @property
    def is_over(self) -> bool:
        """Whether nothing of the target can run any more."""
        return self._source.is_over

    @property
    def exit_code(self) -> int:
        """The command's; 0 without one."""
        return self._source.exit_code

    @property
    def command_cpu_seconds(self) -> float:
        """What the command and its children took, once it has ended."""
        return self._source.command_cpu_seconds

    @property
    def fd(self) -> int:
        """Readable when there is something to tend to."""
        return self._poll.fileno()

    @property
    def tend_s(self) -> float:
        """How long the run may be left alone at most."""
        return TICK_S if self._timeline.is_empty else PENDING_S

    def start(self) -> float:
        """Begin to sample; returns when (time.monotonic())."""
        for fd in (*self._timeline.descriptors, *self._source.exits):
            self._poll.register(fd, select.EPOLLIN)
        self._windows.begun = self._source.start()
        return self._windows.begun

    def tend(self) -> bool:
        """Take in what the rings hold; soon after the first news, so that others come with it.

        Returns whether there were any that would not wait: changes of processes, samples in new
        code.
        """
        ready = {fd for fd, _ in self._poll.poll(0)}
        for fd in self._source.exits & ready:
            self._source.note_exit(fd)
            self._poll.unregister(fd)
        self._intake.drain(self._settled_ns())
        self._source.tend()
        if self._is_full():
            self.take()
        if ready:
            time.sleep(BATCH_S)
        return bool(ready)

    def take(self) -> None:
        """Have what was counted since the last call named."""
        self._intake.take(self._settled_ns())

    def set_frequency(self, frequency: int) -> None:
        """Sample a clock at so many Hz from now on; call it right after `take`."""
        self._source.set_frequency(frequency)

    def renew_labels(self) -> None:
        """Have labels of all processes read once more."""
        self._sightings.renew()

    def named(self, wait_s: float = 0.0) -> list[Window]:
        """Windows that are ready, in their order; waits for the first one if need be."""
        return self._windows.ready(wait_s)

    @property
    def is_waiting(self) -> bool:
        """Whether windows were taken that are not named yet."""
        return self._windows.is_waiting

    def stop(self) -> float:
        """Sampling ends; returns when (time.monotonic()). What was counted can still be taken.

        Another thread may do it in the midst of anything else.
        """
        return self._source.stop()

    def finish(self) -> Iterator[Window]:
        """All windows that nobody has taken yet, the last one too; after `stop`."""
        self._source.detach()
        self._intake.finish()
        return self._windows.rest()

    def close(self) -> None:
        """Detach, unload, close."""
        self._cleanup.close()

    def __enter__(self) -> SamplingRun:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _is_full(self) -> bool:
        """Whether numbers of files are needed that only stacks of earlier windows still name."""
        is_due = time.monotonic() >= self._windows.begun + FULL_S
        return is_due and self._objects.is_short_of_numbers

    def _settled_ns(self) -> int:
        """Up to when all that happened is in the rings."""
        return time.monotonic_ns() - SETTLE_NS


def open_run(
    target: Target,
    options: RecordOptions,
    *,
    is_mute: bool = False,
    read: Reader | None = None,
    met: Met | None = None,
) -> SamplingRun:
    """A run that is set up: tables of the target's processes are made, and nothing is sampled yet.

    is_mute: a command reads and writes nothing. read: labels of processes that samples have; by
    default their containers. met: where addresses in files are named elsewhere, is called with
    each file that has any (see NodeSymbolizer).
    Raises NoTargetError, NoPermissionError, UnsupportedError or CommandError.
    """
    walls = Walls()
    source = Source(target, options, walls, is_mute=is_mute)
    symbolizer = NodeSymbolizer(met, walls) if met else _symbolizer(options, walls)
    return SamplingRun(source, options, symbolizer, walls, read)


def _symbolizer(options: RecordOptions, walls: Walls) -> Symbolizer:
    return Symbolizer(
        inline=options.inline,
        walls=walls,
        most_kept=options.symbol_memory << 20,
        elsewhere=Elsewhere(options.debug_dirs, options.debuginfod),
    )
