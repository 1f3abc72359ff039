"""What a run sampled: the figures of its ledger, and the summary for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ebprof.abi import COMPLETE, COUNTERS, STOP_REASONS, Counter
from ebprof.bpf.events import Rate
from ebprof.symbolize.nameless import Nameless
from ebprof.watch.ledger import Ledger

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
        metadata=_said(
            "files whose unwind table found no room, or cost too much: stacks stop there, bad_table"
        )
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
class SampledFigures:
    """What a run sampled. frequency: 0 where each `period`-th event was sampled. nameless: what has
    no names in the profile.
    """

    event: str
    frequency: int
    period: int
    samples: SampleStatistics
    stacks: StackStatistics
    unwind: UnwindStatistics
    nameless: tuple[Nameless, ...] = ()

    @property
    def complete_share(self) -> float | None:
        """Share of user stacks that reached the outermost frame; None when there are none."""
        user = self.samples.user
        return self.stacks.stop.get(COMPLETE, 0) / user if user else None

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, keys as the fields are named."""
        return asdict(self)


Statistics = Ledger[SampledFigures]


def summary(statistics: Statistics, target: str) -> list[str]:
    """Lines for stderr: samples, complete stacks, stop reasons, lost, overhead."""
    found, samples = statistics.subject, statistics.subject.samples
    rate = Rate(found.frequency, found.period)
    head = (
        f"{samples.total:,} samples of {target} "
        f"({rate.describe(found.event)}, {statistics.duration_seconds:.1f} s)"
    )
    if samples.total:
        head += (
            f", {found.stacks.unique:,} distinct stacks, "
            f"{complete_text(found.complete_share, ' of user stacks')}, lost {samples.lost:,}"
        )
    else:
        head += f", lost 0: {_nothing(found)}"
    counts = counted(found.stacks.stop, statistics.counters)
    return [head, *counts, statistics.overhead("sample", 1)]


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


def _nothing(found: SampledFigures) -> str:
    """What it means that there are no samples."""
    cpu_seconds = found.samples.cpu_seconds
    if cpu_seconds is None and found.frequency:
        return "whatever ran of it did not run at the moment of a sample"
    if found.frequency:
        return f"it had {cpu_seconds:.3f} s of CPU time"
    return "there were none" if found.period <= 1 else "there were not as many"
