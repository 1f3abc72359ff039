"""What a run did and what it cost: the summary for people, `--stats` for programs."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ebprof.abi import COMPLETE, COUNTERS, STOP_REASONS, Counter
from ebprof.bpf.events import Rate

NOT_SAMPLES = "filtered"
"""The counter of what never was a sample: in `--stats`, but no news for people."""


def _said(text: str, *, is_loss: bool = False) -> dict[str, Any]:
    return {"help": text, "is_loss": is_loss}


@dataclass(frozen=True, slots=True)
class UserCounts:
    """What user space counts besides samples: each field is a counter, its metadata the rest."""

    events_missed: int = field(
        metadata=_said("events that met another BPF program on their CPU: the kernel skips them")
    )
    changes_lost: int = field(
        metadata=_said("reports of new mappings and processes: perf's ring was full")
    )
    mappings_full: int = field(
        metadata=_said("lists of a process's mappings of which only a part, or nothing, had room")
    )
    processes_full: int = field(
        metadata=_said("times a process did not fit into the kernel: unwound in user space")
    )
    tables_full: int = field(
        metadata=_said("files whose unwind table found no room: stacks stop there, bad_table")
    )
    tables_evicted: int = field(
        metadata=_said("unwind tables in use that made room for others: compiled anew when needed")
    )
    rules_full: int = field(
        metadata=_said("unwind rules that did not fit: stacks stop there, unsupported_rule")
    )
    unreadable_files: int = field(
        metadata=_said("files mapped as code but not usable: unreadable, or no ELF file")
    )
    files_full: int = field(
        metadata=_said("files mapped as code that were left out: too many were open or sampled")
    )
    undersampled: int = field(
        metadata=_said("samples that the target's CPU time should have brought, and did not")
    )
    oversampled: int = field(metadata=_said("samples beyond what the target's CPU time explains"))
    slices_joined: int = field(
        metadata=_said("slices of time that became one: shorter ones had too many counts")
    )
    readers_failed: int = field(
        metadata=_said("times that something could not be read for a reason nobody expected")
    )


USER_COUNTERS = tuple(Counter(one.name, **one.metadata) for one in fields(UserCounts))
ALL_COUNTERS = (*COUNTERS, *USER_COUNTERS)


@dataclass(frozen=True, slots=True)
class SampleStatistics:
    """Samples by kind. lost: taken, and missing from the profile.

    cpu_seconds: that the target had meanwhile, as the kernel accounts for it; None: not known.
    """

    total: int
    user: int
    kernel_only: int
    lost: int
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class StackStatistics:
    """Distinct stacks, and samples by stop reason."""

    unique: int
    stop: dict[str, int]


@dataclass(frozen=True, slots=True)
class UnwindStatistics:
    """Tables in the kernel; compile_seconds is what it took to make them."""

    objects: int
    rows: int
    table_bytes: int
    compile_seconds: float


@dataclass(frozen=True, slots=True)
class BpfStatistics:
    """Runs of the BPF program and the time they took, by the kernel's own measure."""

    run_count: int
    run_seconds: float


@dataclass(frozen=True, slots=True)
class ToolStatistics:
    """ebprof's own cost. ready: process start to sampling on; finish: sampling's end to written."""

    ready_seconds: float
    finish_seconds: float
    cpu_seconds: float
    max_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """One run, as `--stats` writes it. frequency: 0 where each `period`-th event was sampled.

    failures: what `readers_failed` counts, by exception and line of code.
    """

    event: str
    frequency: int
    period: int
    duration_seconds: float
    samples: SampleStatistics
    stacks: StackStatistics
    unwind: UnwindStatistics
    bpf: BpfStatistics
    tool: ToolStatistics
    counters: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def complete_share(self) -> float | None:
        """Share of user stacks that reached the outermost frame; None when there are none."""
        user = self.samples.user
        return self.stacks.stop.get(COMPLETE, 0) / user if user else None

    def finished(self, finish_seconds: float, command_cpu_seconds: float) -> Statistics:
        """With the tool's cost up to now: its own and its helpers', which have ended."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
        tool = replace(
            self.tool,
            finish_seconds=finish_seconds,
            cpu_seconds=cpu - command_cpu_seconds,
            max_rss_bytes=1024 * own.ru_maxrss,
        )
        return replace(self, tool=tool)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, keys as the fields are named."""
        return asdict(self)


def summary(statistics: Statistics, target: str) -> list[str]:
    """Lines for stderr: samples, complete stacks, stop reasons, lost, overhead."""
    samples = statistics.samples
    rate = Rate(statistics.frequency, statistics.period)
    head = (
        f"{samples.total:,} samples of {target} "
        f"({rate.describe(statistics.event)}, {statistics.duration_seconds:.1f} s)"
    )
    if samples.total:
        head += (
            f", {statistics.stacks.unique:,} distinct stacks, "
            f"{complete_text(statistics.complete_share, ' of user stacks')}, lost {samples.lost:,}"
        )
    else:
        head += f", lost 0: {_nothing(statistics)}"
    counts = counted(statistics.stacks.stop, statistics.counters)
    return [head, *counts, _overhead(statistics)]


def complete_text(share: float | None, of: str = "") -> str:
    """`99.8 % complete`, or with `of` ` of user stacks` between."""
    return "no user stacks" if share is None else f"{100 * share:.1f} %{of} complete"


def counted(stops: dict[str, int], counters: dict[str, int]) -> Iterator[str]:
    """A line for each stop reason, the most frequent first, and each counter, with its meaning."""
    helps = {reason.name: reason.help for reason in STOP_REASONS}
    helps |= {counter.name: counter.help for counter in ALL_COUNTERS}
    ranked = sorted(stops.items(), key=lambda item: -item[1])
    for name, count in (*ranked, *counters.items()):
        if name not in (COMPLETE, NOT_SAMPLES):
            yield f"  {name} {count:,}: {helps[name]}"


def _nothing(statistics: Statistics) -> str:
    """What it means that there are no samples."""
    cpu_seconds = statistics.samples.cpu_seconds
    if cpu_seconds is None and statistics.frequency:
        return "whatever ran of it did not run at the moment of a sample"
    if statistics.frequency:
        return f"it had {cpu_seconds:.3f} s of CPU time"
    return "there were none" if statistics.period <= 1 else "there were not as many"


def _overhead(statistics: Statistics) -> str:
    bpf, tool = statistics.bpf, statistics.tool
    duration = max(statistics.duration_seconds, 1e-9)
    kernel = "nothing measured in the kernel"
    if bpf.run_count:
        share, each = 100 * bpf.run_seconds / duration, 1e6 * bpf.run_seconds / bpf.run_count
        kernel = f"{share:.3f} % of a core in the kernel, {each:.1f} us a sample"
    return (
        f"overhead: {kernel}; "
        f"ebprof itself {tool.cpu_seconds:.2f} s CPU, {tool.max_rss_bytes / 1e6:.0f} MB"
    )
