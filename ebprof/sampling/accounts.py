"""What a run counted besides stacks, and what it cost, from all of its parts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ebprof.abi import COUNTERS
from ebprof.sampling.code import Code
from ebprof.sampling.intake import Intake
from ebprof.sampling.source import Source
from ebprof.sampling.stacks import StackStore
from ebprof.sampling.statistics import (
    SampledFigures,
    SampleStatistics,
    StackStatistics,
    Statistics,
    UnwindStatistics,
    UserCounts,
)
from ebprof.sampling.windows import Windows
from ebprof.symbolize.nameless import Nameless
from ebprof.symbolize.symbolizer import Symbolizer
from ebprof.walls import Walls
from ebprof.watch.ledger import BpfCost, Ledger, ToolCost

_OF_SAMPLES = ("samples", "user", "kernel_only")
"""Counters that have a place of their own."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How a run stands since its start. user: samples with a user stack. lost: taken, and in no
    window. stops: user stacks by stop reason; kernel_seconds: in the BPF program.
    """

    samples: int
    user: int
    lost: int
    stops: dict[str, int]
    kernel_seconds: float


class Accounts:
    """Reads what the parts of a run count."""

    def __init__(
        self,
        source: Source,
        code: Code,
        intake: Intake,
        stacks: StackStore,
        windows: Windows,
        symbolizer: Symbolizer,
        walls: Walls,
    ) -> None:
        self._source = source
        self._code = code
        self._intake = intake
        self._stacks = stacks
        self._windows = windows
        self._symbolizer = symbolizer
        self._walls = walls

    def figures(self) -> Figures:
        """How the run stands."""
        counters = self._source.session.counters()
        return Figures(
            samples=counters["samples"],
            user=counters["user"],
            lost=sum(self.losses().values()),
            stops=self._stops(),
            kernel_seconds=self._source.session.run_statistics()[1],
        )

    def losses(self) -> dict[str, int]:
        """Samples that were taken and are in no window, by reason; `unnamed` had no names."""
        counters = self._source.session.counters()
        found = {one.name: counters[one.name] for one in COUNTERS if one.is_loss}
        return found | {"unnamed": self._windows.lost}

    def counters(self) -> dict[str, int]:
        """What else was counted since the start, by name, at the end; zeros are left out."""
        counters = self._counters()
        return {name: n for name, n in counters.items() if n and name not in _OF_SAMPLES}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong without ending the run, a sentence each."""
        return (
            *self._source.warnings,
            *self._code.tracker.warnings,
            *self._symbolizer.warnings,
            *self._walls.warnings,
        )

    def statistics(
        self, named: int, duration: float, ready: float, nameless: tuple[Nameless, ...] = ()
    ) -> Statistics:
        """All figures of a run that is over; the tool's own cost is still to come.

        named: samples in windows. duration: seconds of sampling; ready: until it began. nameless:
        what has no names in them.
        """
        source, objects = self._source, self._code.objects
        sampled, counters = source.sampled, self._counters()
        figures = SampledFigures(
            event=sampled.event,
            frequency=sampled.rate.frequency,
            period=0 if sampled.rate.frequency else sampled.rate.period,
            samples=SampleStatistics(
                total=counters["samples"],
                user=counters["user"],
                kernel_only=counters["kernel_only"],
                lost=counters["samples"] - named,
                cpu_seconds=source.cpu_seconds,
            ),
            stacks=StackStatistics(unique=self._stacks.unique, stop=self._stops()),
            unwind=UnwindStatistics(
                objects=objects.seen,
                rows=objects.rows,
                table_bytes=4 * self._code.tables.most_words,
                compile_seconds=objects.compile_seconds,
            ),
            nameless=nameless,
        )
        return Ledger(
            subject=figures,
            duration_seconds=duration,
            bpf=BpfCost(*source.session.run_statistics()),
            tool=ToolCost(ready),
            counters={n: count for n, count in counters.items() if count and n not in _OF_SAMPLES},
            failures=dict(self._walls.places),
        )

    def _stops(self) -> dict[str, int]:
        """Samples by stop reason, wherever they were unwound; those without any are left out."""
        deferred = self._intake.stops()
        stops = {name: n + deferred[name] for name, n in self._source.session.stops().items()}
        return {name: n for name, n in stops.items() if n}

    def _counters(self) -> dict[str, int]:
        counters = self._source.session.counters()
        return counters | asdict(self._user_counts(counters["samples"]))

    def _user_counts(self, taken: int) -> UserCounts:
        missing, code = self._source.missing(taken), self._code
        return UserCounts(
            events_missed=self._source.session.missed_events(),
            changes_lost=code.tracker.lost,
            mappings_full=code.processes.cut,
            processes_full=code.processes.left_out,
            tables_full=code.objects.no_room,
            tables_evicted=self._intake.evicted,
            rules_full=code.tables.rules.overflowed,
            unreadable_files=code.objects.unreadable,
            files_full=code.objects.left_out,
            undersampled=max(0, missing),
            oversampled=max(0, -missing),
            slices_joined=self._stacks.slices_joined,
            readers_failed=self._walls.failed,
        )
