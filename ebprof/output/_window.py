"""Windows of time of a profile whose samples say when they were taken: `cpu.pb.gz@30s-60s`.

A slice of time belongs to the window that it begins in, as a whole: windows that follow one another
have each sample once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ebprof.durations import nanoseconds, written
from ebprof.errors import UsageError
from ebprof.model import NONE, Profile, Samples
from ebprof.output._read import MAX_INT64

_WINDOW = re.compile(r"([^-]*)-([^-]*)")
_FORM = "write it like @0s-30s, @30s- or @-30s"


@dataclass(frozen=True, slots=True)
class Window:
    """From start_ns on until before stop_ns, since the start of the run; None: to its end."""

    start_ns: int
    stop_ns: int | None

    def __str__(self) -> str:
        stop = "" if self.stop_ns is None else written(self.stop_ns)
        return f"{written(self.start_ns)}-{stop}"


def split(path: str) -> tuple[str, Window | None]:
    """A file and the window of it that is asked for; a file of the whole name comes first.

    Raises UsageError for a window that cannot be one, behind the name of a file that is there.
    """
    file, at, text = path.rpartition("@")
    if not at or os.path.lexists(path):
        return path, None
    window = _parse(text)
    if window is None:
        if not os.path.lexists(file):
            return path, None
        raise UsageError(f"cannot read window {text!r} of {file}", _FORM)
    return file, window


def select(profile: Profile, window: Window, name: str) -> Profile:
    """What was sampled in a window, as a run of its own; times start anew with it.

    name: of the file, for errors. Raises UsageError where it has no times, or none in the window.
    """
    samples, times = profile.samples, profile.samples.rows["time_ns"]
    is_timed = times != NONE
    if not is_timed.any():
        raise UsageError(
            f"{name} does not say when its samples were taken",
            "record with --slice 1s, and save it as pprof",
        )
    end = max(profile.duration_ns, int(times.max()) + 1)
    stop = end if window.stop_ns is None else window.stop_ns
    start = window.start_ns
    is_inside = (times > min(start - 1, MAX_INT64)) & (times <= min(stop - 1, MAX_INT64))
    taken = samples.take(is_timed & is_inside)
    if not taken:
        raise UsageError(f"{name} has no samples in {window}", _has(profile, end))
    begin = _next_slice(start, profile.slice_ns)
    stop = min(_next_slice(stop, profile.slice_ns), end)
    return replace(
        profile,
        samples=_since(begin, taken),
        time_ns=min(profile.time_ns + begin, MAX_INT64) if profile.time_ns else 0,
        duration_ns=min(max(0, stop - begin), MAX_INT64),
    )


def slices(profile: Profile) -> Iterator[Profile]:
    """Each slice as a run of its own, in the order of time; what has no time comes first, as one.

    The profile itself where nothing has a time.
    """
    samples, times = profile.samples, profile.samples.rows["time_ns"]
    if (times == NONE).all():
        yield profile
        return
    order = np.argsort(times, kind="stable")
    found, starts = np.unique(times[order], return_index=True)
    for time, members in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
        yield _slice(profile, samples.take(members), time)


def _slice(profile: Profile, samples: Samples, time_ns: int) -> Profile:
    """The samples of a slice that began at a time since the start of the run, or at none."""
    if time_ns == NONE:
        return replace(profile, samples=samples, slice_ns=0)
    rest = max(0, profile.duration_ns - time_ns)
    return replace(
        profile,
        samples=_since(time_ns, samples),
        time_ns=min(profile.time_ns + time_ns, MAX_INT64) if profile.time_ns else 0,
        duration_ns=min(profile.slice_ns or rest, rest),
    )


def without_times(profile: Profile) -> Profile:
    """The same, each stack of a thread once, over all the time; itself where that is so already."""
    samples = profile.samples
    if (samples.rows["time_ns"] == NONE).all():
        return profile
    groups = samples.by("pid", "tid", "comm", "stop", "stack", "labels")
    rows = samples.rows[groups.first]
    rows["time_ns"] = NONE
    values = np.empty((len(rows), samples.values.shape[1]), np.int64)
    for number, column in enumerate(samples.values.T):
        values[:, number] = groups.sums(column)
    merged = Samples(samples.tables, rows, groups.sums(samples.counts), values)
    return replace(profile, samples=merged, slice_ns=0)


def begin_ns(window: Window, slice_ns: int) -> int:
    """When a window begins, in the whole recording, whose slices are so long."""
    return _next_slice(window.start_ns, slice_ns)


def _parse(text: str) -> Window | None:
    """None when it does not have the form of a window."""
    match = _WINDOW.fullmatch(text)
    if match is None or text == "-":
        return None
    start = nanoseconds(match[1]) if match[1] else 0
    stop = nanoseconds(match[2]) if match[2] else None
    if start is None or (match[2] and stop is None):
        return None
    if stop is not None and stop <= start:
        raise UsageError(f"the window {text} ends before it begins", _FORM)
    return Window(start, stop)


def _next_slice(time_ns: int, slice_ns: int) -> int:
    """When the first slice begins that does so at a time, or after it."""
    return -(-time_ns // slice_ns) * slice_ns if slice_ns else time_ns


def _since(begin_ns: int, samples: Samples) -> Samples:
    """Timed samples with times that count from a later beginning."""
    rows = samples.rows.copy()
    rows["time_ns"] = np.maximum(rows["time_ns"] - min(begin_ns, MAX_INT64), 0)
    return replace(samples, rows=rows)


def _has(profile: Profile, end_ns: int) -> str:
    """What a profile has, for those who asked for something else."""
    slices = f" in slices of {written(profile.slice_ns)}" if profile.slice_ns else ""
    return f"it goes from 0s to {end_ns / 1e9:.1f}s{slices}"
