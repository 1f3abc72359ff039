"""A run until its end: all of its windows are one profile."""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass, replace

from ebprof.abi import COMPLETE
from ebprof.durations import written
from ebprof.model import Profile
from ebprof.sampling.fold import FoldedSamples
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.run import SamplingRun
from ebprof.sampling.statistics import Statistics
from ebprof.sampling.windows import Window
from ebprof.symbolize.nameless import nameless_in
from ebprof.watch.clock import seconds_since_start


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
    """Records one run, which `watch.Watch` ticks; then `result` is what it brought.

    comments: of the profile. Raises what `SamplingRun.start` does.
    """

    def __init__(
        self, run: SamplingRun, options: RecordOptions, comments: tuple[str, ...] = ()
    ) -> None:
        self._comments = comments
        self._run = run
        self._options = options
        self._samples = FoldedSamples()
        self._began_ns = self._slice_ns = 0
        self._start = self._end = self._ready = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing of the target can run any more."""
        return self._run.is_over

    @property
    def tick_s(self) -> float:
        """Seconds between ticks at most."""
        return self._run.tend_s

    @property
    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, with events: when one is ready, there is something to tick for."""
        return [(self._run.fd, select.POLLIN)]

    def begin(self) -> None:
        """Begin to sample."""
        self._began_ns = time.time_ns()
        self._start = self._run.start()
        self._ready = seconds_since_start()

    def tick(self) -> None:
        """Take in what there is."""
        self._run.tend()
        for window in self._run.named():
            self._take(window)

    def mark(self) -> None:
        """All intervals are one."""

    def stop(self) -> None:
        """Sampling ends."""
        self._end = self._run.stop()

    def progress(self) -> Progress:
        """How the recording stands."""
        figures = self._run.accounts.figures()
        return Progress(
            elapsed_s=time.monotonic() - self._start,
            duration_s=self._options.duration_s,
            samples=figures.samples,
            complete_share=figures.stops.get(COMPLETE, 0) / figures.user if figures.user else None,
        )

    def result(self) -> Recording:
        """What was recorded, after `stop`; waits for names."""
        for window in self._run.finish():
            self._take(window)
        profile = self._profile()
        return Recording(
            profile=profile,
            statistics=self._run.accounts.statistics(
                profile.total,
                self._end - self._start,
                self._ready,
                nameless_in(profile.samples, (os.getpid(),)),
            ),
            sampling_end=self._end,
            exit_code=self._run.exit_code,
            command_cpu_seconds=self._run.command_cpu_seconds,
            warnings=self._warnings(profile),
        )

    def _take(self, window: Window) -> None:
        self._samples.add(window.samples)
        self._slice_ns = window.slice_ns

    def _profile(self) -> Profile:
        samples = self._samples.total(self._slice_ns).most_first()
        duration_ns = round((self._end - self._start) * 1e9)
        profile = self._run.sampled.profile(samples, self._began_ns, duration_ns)
        return replace(profile, comments=self._comments, slice_ns=self._slice_ns)

    def _warnings(self, profile: Profile) -> tuple[str, ...]:
        joined = profile.slice_ns > self._options.slice_ns
        slices = [f"slices are {written(profile.slice_ns)} long: shorter ones were too many"]
        return (*self._run.accounts.warnings, *(slices if joined else ()))
