"""A window as series: the samples of one service, process and container, stacks summed up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ebprof.abi import TRUNCATED
from ebprof.agent.identities import PROCESS, SERVICE, Identities
from ebprof.model import (
    NONE,
    Frame,
    Label,
    Location,
    Profile,
    Sample,
    Samples,
    SampleType,
    grouped,
    samples_of,
)

MAX_SERIES = 1_000
"""Of a window; the smallest of more are one, so that nobody makes any number of them."""
MAX_DEPTH = 2_000
"""Frames of a stack, inlined calls included: collectors refuse pushes with deeper ones."""
OTHER = "~other"
LOST = SampleType("lost", "count")
STATUS = (
    SampleType("ebprof_samples", "count"),
    SampleType("ebprof_window", "number"),
    SampleType("ebprof_spool", "bytes"),
)
"""What an agent says of itself with each window."""
AGENT = "ebprof-agent"
_CPU, _LOST, _STATUS = "process_cpu", "ebprof_lost", "ebprof_status"


@dataclass(frozen=True, slots=True)
class Series:
    """Labels, `__name__` among them, and a profile of one window.

    is_own: it is about the agent itself, and shares no tables with those of other windows.
    """

    labels: tuple[tuple[str, str], ...]
    profile: Profile
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """The series of a window, and how many more were joined to one."""

    series: tuple[Series, ...]
    joined: int = 0


def cut(window: Profile, identities: Identities) -> Cut:
    """The series of a window, largest first. window: samples have labels of `identities`."""
    samples = window.samples
    if not len(samples):
        return Cut(())
    comm = np.where(samples.rows["labels"] == 0, samples.rows["comm"], 0)
    groups = grouped(samples.rows["labels"], comm)
    order = np.argsort(-groups.sums(samples.counts), kind="stable")
    kept = order if len(order) <= MAX_SERIES else order[: MAX_SERIES - 1]
    found = [
        _series(_labels(samples, int(groups.first[one]), identities), _CPU, window, rows)
        for one, rows in zip(kept.tolist(), _rows_of(groups.of_row, kept, len(order)), strict=True)
    ]
    joined = len(order) - len(kept)
    if joined:
        rows = np.flatnonzero(~np.isin(groups.of_row, kept))
        found.append(_series(identities.of_thread(OTHER), _CPU, window, rows))
    return Cut(tuple(found), joined)


def lost(losses: Mapping[str, int], window: Profile, identities: Identities) -> Iterator[Series]:
    """What was lost in a window, by counter: a stack of one frame each; none where nothing was."""
    samples = [
        Sample(0, 0, "", (Location(0, None, (Frame(name),)),), "", count, values=(count,))
        for name, count in losses.items()
        if count > 0
    ]
    if samples:
        yield _of_agent(_LOST, (LOST,), samples, window, identities.of_thread(AGENT))


@dataclass(frozen=True, slots=True)
class Status:
    """Of an agent, besides what is in a window.

    run: tells starts of an agent apart. number: of the window in its run, from 1 on; windows that
    do not arrive leave gaps. spool_bytes: that wait to be acknowledged.
    """

    version: str
    run: str
    number: int
    spool_bytes: int


def status(of: Status, window: Profile, identities: Identities) -> Series:
    """What an agent says of itself: a stack of one frame with a value for each type of STATUS."""
    values = (window.total, of.number, of.spool_bytes)
    stack = (Location(0, None, (Frame(AGENT),)),)
    labels = {**identities.of_thread(AGENT), "version": of.version, "run": of.run}
    sample = Sample(0, 0, "", stack, "", values[-1], values=values)
    return _of_agent(_STATUS, STATUS, [sample], window, labels)


def _of_agent(
    name: str,
    types: tuple[SampleType, ...],
    samples: list[Sample],
    window: Profile,
    labels: Mapping[str, str],
) -> Series:
    profile = replace(
        window,
        samples=samples_of(samples),
        sample_types=types,
        shown=len(types) - 1,
        period=0,
        event=types[-1].name,
        unit=types[-1].unit,
    )
    return Series(tuple(sorted({**labels, "__name__": name}.items())), profile, is_own=True)


def _rows_of(of_row: np.ndarray, kept: np.ndarray, groups: int) -> Iterable[np.ndarray]:
    """Numbers of the rows of each group that is kept."""
    order = np.argsort(of_row, kind="stable")
    ends = np.cumsum(np.bincount(of_row, minlength=groups))
    starts = np.append(0, ends)
    return (order[starts[one] : ends[one]] for one in kept.tolist())


def _labels(samples: Samples, row: int, identities: Identities) -> dict[str, str]:
    tables = samples.tables
    labels: tuple[Label, ...] = tables.label_values[int(samples.rows["labels"][row])]
    if not labels:
        return identities.of_thread(tables.strings[int(samples.rows["comm"][row])])
    return {one.key: one.text for one in labels}


def _series(labels: Mapping[str, str], name: str, window: Profile, rows: np.ndarray) -> Series:
    named = {"__name__": name, **labels}
    assert SERVICE in named and PROCESS in named
    profile = replace(window, samples=_cut_deep(_summed(window.samples.take(rows))))
    return Series(tuple(sorted(named.items())), profile)


def _summed(samples: Samples) -> Samples:
    """A sample a stack and stop reason, without threads and labels."""
    groups = samples.by("stack", "stop")
    rows = samples.rows[groups.first].copy()
    for name in ("pid", "tid", "comm", "labels"):
        rows[name] = 0
    rows["time_ns"] = NONE
    return replace(
        samples,
        rows=rows,
        counts=groups.sums(samples.counts),
        values=samples.values[groups.first],
    )


def _cut_deep(samples: Samples) -> Samples:
    """The samples, of stacks that are too deep the innermost frames."""
    tables = samples.tables
    depth = tables.stacks.sums(np.maximum(tables.location_frames.lengths, 1))
    if depth[samples.rows["stack"]].max(initial=0) <= MAX_DEPTH:
        return samples
    return samples_of([_shallow(one) for one in samples])


def _shallow(sample: Sample) -> Sample:
    depth = np.cumsum([max(len(one.frames), 1) for one in sample.locations])
    kept = int(np.searchsorted(depth, MAX_DEPTH, side="right"))
    if kept == len(sample.locations):
        return sample
    return replace(sample, locations=sample.locations[:kept], stop=TRUNCATED)
