"""What `profile` and `flame` do alike: record, show progress, write, sum up."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ebprof.commands import _streams
from ebprof.commands._stats import check_stats
from ebprof.errors import BadFileError
from ebprof.model import Profile, comments_of
from ebprof.output import (
    Look,
    OutputFormat,
    ReadableFormat,
    as_seen,
    proposal,
    rescue,
    write_file,
)
from ebprof.procfs.text import decoded
from ebprof.recording.recorder import Progress, Recorder, Recording
from ebprof.sampling.about import facts_of
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.run import open_run
from ebprof.sampling.statistics import Statistics, complete_text, summary
from ebprof.sampling.target import Target
from ebprof.symbolize.nameless import lines_of
from ebprof.watch.loop import Schedule, Watch

PROGRESS_S = 0.25
"""How often the line on the terminal is drawn."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the result goes. path: None for stdout; stats: a file for the run's figures.

    look: how the format shows the profile.
    """

    output: OutputFormat
    path: str | None
    stats: str | None
    quiet: bool
    verbose: bool
    look: Look


def record(target: Target, options: RecordOptions, destination: Destination) -> int:
    """Record, write the profile, print the summary; returns the exit code."""
    check_stats(destination.stats, destination.path)
    is_shown = sys.stderr.isatty() and not destination.quiet
    with open_run(target, options) as run:
        recorder = Recorder(run, options, comments_of(facts_of(target)))
        line = ProgressLine(recorder, target.describe(), shown=is_shown)
        schedule = Schedule(PROGRESS_S if is_shown else None, None, options.duration_s)
        Watch(recorder, line, schedule).run()
        recording = recorder.result()
        _write(recording, destination)
        finish = time.monotonic() - recording.sampling_end
    statistics = recording.statistics.closed(finish, recording.command_cpu_seconds)
    if destination.stats:
        statistics.write(destination.stats)
    if not destination.quiet:
        _sum_up(statistics, target, recording.warnings, destination)
        _propose(recording.profile, destination)
    return recording.exit_code


class ProgressLine:
    """One line on the terminal, written over and over, while recording: a report of `Watch`."""

    is_over = is_waiting = False
    watched: tuple[tuple[int, int], ...] = ()

    def __init__(self, recorder: Recorder, what: str, *, shown: bool) -> None:
        self._recorder = recorder
        self._what = what
        self._shown = shown

    def begin(self) -> None:
        """There is nothing to show yet."""

    def react(self) -> None:
        """Nothing is read."""

    def show(self) -> None:
        """Draw how the recording stands."""
        if self._shown:
            text = _describe(self._recorder.progress())
            print(f"\r\x1b[2Kprofiling {self._what}: {text}", end="", file=sys.stderr)
            sys.stderr.flush()

    def finish(self) -> None:
        """Take the line away."""
        if self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr)


def _describe(progress: Progress) -> str:
    if progress.duration_s is None:
        time = f"{progress.elapsed_s:.0f} s, Ctrl-C ends it"
    else:
        time = f"{max(0.0, progress.duration_s - progress.elapsed_s):.0f} s left"
    return f"{time}, {progress.samples:,} samples, {complete_text(progress.complete_share)}"


def _write(recording: Recording, destination: Destination) -> None:
    profile = as_seen(recording.profile, destination.output, destination.look)
    try:
        write_file(profile, destination.output, destination.path)
    except BrokenPipeError:
        _streams.discard_stdout()
    except BadFileError as error:
        kept = rescue(profile, destination.output)
        where = f"the profile was written to {kept}" if kept else "nor is there room elsewhere"
        raise BadFileError(error.message, where) from None


def _sum_up(
    statistics: Statistics, target: Target, warnings: tuple[str, ...], destination: Destination
) -> None:
    lines = summary(statistics, target.describe())
    if destination.verbose:
        lines.extend(_details(statistics))
    lines.extend(lines_of(statistics.subject.nameless))
    lines.extend(f"warning: {warning}" for warning in warnings)
    if destination.path:
        lines.append(f"wrote {decoded(destination.path)}")
    for line in lines:
        print(f"ebprof: {line}", file=sys.stderr)


def _propose(profile: Profile, destination: Destination) -> None:
    """Say which windows of a recording in slices may be compared, if it can be read back."""
    if destination.path and isinstance(destination.output, ReadableFormat):
        hint = proposal(profile, destination.path)
        if hint:
            print(f"ebprof: {hint}", file=sys.stderr)


def _details(statistics: Statistics) -> Iterator[str]:
    unwind, tool = statistics.subject.unwind, statistics.tool
    yield (
        f"unwind tables: {unwind.objects:,} objects, {unwind.rows:,} rows, "
        f"{unwind.table_bytes / 1e6:.1f} MB, compiled in {unwind.compile_seconds:.2f} s"
    )
    yield (
        f"times: sampling began {tool.ready_seconds:.2f} s after the start, "
        f"the result was written {tool.finish_seconds:.2f} s after its end"
    )
