"""What the rooms exchange: frozen values without behaviour of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

KERNEL_PATH = "[kernel.kallsyms]"


@dataclass(frozen=True, slots=True)
class Mapping:
    """An object file (or what stands for one) that locations lie in.

    path: as the process names it; `[vdso]`, `[kernel.kallsyms]`, `//anon` for what has no file.
    build_id: lower-case hex of the GNU build ID, empty where there is none.
    start, limit: virtual addresses in the object (ELF p_vaddr), limit exclusive.
    offset: file offset of start.
    """

    path: str
    build_id: str = ""
    start: int = 0
    limit: int = 0
    offset: int = 0

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1] or self.path

    @property
    def is_kernel(self) -> bool:
        """True for kernel text, modules and BPF programs."""
        return self.path == KERNEL_PATH


@dataclass(frozen=True, slots=True)
class Frame:
    """A function at a source line; several frames share one location when calls were inlined.

    function: demangled; `[module]+0xoffset` where nothing better is known, never empty.
    system_name: the linker's name (mangled), empty where it equals function or is unknown.
    file, line: where the code at this address comes from; empty and 0 when unknown.
    """

    function: str
    file: str = ""
    line: int = 0
    system_name: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """An address in a mapping, with its frames, innermost inlined call first (at least one)."""

    address: int
    mapping: Mapping | None
    frames: tuple[Frame, ...]

    @property
    def is_kernel(self) -> bool:
        """True when the address is the kernel's."""
        return self.mapping is not None and self.mapping.is_kernel


class SampleType(NamedTuple):
    """What one of the values of samples is: `inuse_space` in `bytes`.

    A unit like `count/100` says that values are hundredths.
    """

    name: str
    unit: str


SAMPLES = SampleType("samples", "count")

# Names that users of pprof know for what an event amounts to.
_AMOUNTS = {"cpu-clock": "cpu", "task-clock": "cpu"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A stack and how often it was seen.

    locations: leaf first; kernel locations, when there are any, before user ones.
    stop: name of the stop reason of the user stack (`complete` when it reached the outermost
    frame); empty when the profile was read from a format that does not carry one.
    count: how often it was seen or, in a profile with sample types, the value of the type shown.
    time_ns: start of the slice of time that it was taken in, since the start of the run; None where
    samples are not kept apart by time.
    values: one for each of the profile's sample types; empty in a profile that names none.
    """

    pid: int
    tid: int
    comm: str
    locations: tuple[Location, ...]
    stop: str
    count: int
    time_ns: int | None = None
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """Samples of one event over one run.

    event: name of what was sampled, e.g. `cpu-clock` or `cycles`.
    period: value of one sample in `unit` (nanoseconds for cpu-clock); 0 when unknown.
    time_ns: start, nanoseconds since the epoch; duration_ns: length of the run.
    slice_ns: length of the slices of time that samples are kept apart by; 0: none, or unknown.
    sample_types: what the values of each sample are. Empty for what a sampler records: then samples
    are counted, one each `period`.
    shown: index into sample_types of the values that `count` has.
    warnings: what is missing of the file that the profile was read from, a line each.
    """

    samples: tuple[Sample, ...]
    event: str = "cpu-clock"
    unit: str = "nanoseconds"
    period: int = 0
    time_ns: int = 0
    duration_ns: int = 0
    comments: tuple[str, ...] = field(default=())
    slice_ns: int = 0
    sample_types: tuple[SampleType, ...] = ()
    shown: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of samples taken, or the sum of the values shown."""
        return sum(sample.count for sample in self.samples)

    @property
    def is_sampled(self) -> bool:
        """True when samples are counted, and each stands for `period`."""
        return not self.sample_types

    @property
    def types(self) -> tuple[SampleType, ...]:
        """The sample types, also those that follow from the period."""
        if self.sample_types or not self.period:
            return self.sample_types or (SAMPLES,)
        return SAMPLES, SampleType(_AMOUNTS.get(self.event, self.event), self.unit)

    @property
    def subject(self) -> SampleType:
        """What the profile is about: the event that was sampled, or the sample type shown."""
        if self.is_sampled:
            return SampleType(self.event, self.unit)
        return self.sample_types[self.shown]


class FlowCounts(NamedTuple):
    """What moved over one flow, or over several together.

    tx: sent by this side, rx: received; calls are those that moved bytes. connections: opened,
    retransmits: segments. connect_errors: (reason, how often), only those that happened; their
    sum is failed_connects.
    """

    tx_bytes: int = 0
    rx_bytes: int = 0
    tx_calls: int = 0
    rx_calls: int = 0
    connections: int = 0
    closed: int = 0
    retransmits: int = 0
    failed_connects: int = 0
    connect_errors: tuple[tuple[str, int], ...] = ()


class FlowRow(NamedTuple):
    """One flow, or all flows that share what they were put together by.

    Each of pid to unit is None where the flows differ in it, or where it does not exist: an
    ephemeral port, no container. pid 0 with comm `-`: no known process. role: `client` (this side
    connected), `server` (this side listened), `unknown`. family: 4 or 6. port: the server end's;
    where it is not known which that is, the lower one. nat_...: the same ends as the socket of the
    other side has them, where they are known to be translated on their way. peer_name: only once it
    was asked for and is known. container: the whole ID; pod: its UID; unit: systemd's. flows: how
    many were put together. totals: since the start, or since the flow was first seen; recent: in
    the report's interval. rtt_us: mean of the smoothed round trip times in the interval, else of
    all. age_s: since first sight of the oldest flow. history: bytes a second both ways, a point a
    second, oldest first, at most 60. is_other: what found no place of its own in the kernel's or
    our tables.
    """

    pid: int | None = None
    comm: str | None = None
    role: str | None = None
    family: int | None = None
    local_address: str | None = None
    local_port: int | None = None
    peer_address: str | None = None
    peer_port: int | None = None
    port: int | None = None
    nat_local_address: str | None = None
    nat_local_port: int | None = None
    nat_peer_address: str | None = None
    nat_peer_port: int | None = None
    peer_name: str | None = None
    cgroup: str | None = None
    container: str | None = None
    pod: str | None = None
    unit: str | None = None
    flows: int = 0
    totals: FlowCounts = FlowCounts()
    recent: FlowCounts = FlowCounts()
    rtt_us: float | None = None
    age_s: float = 0.0
    history: tuple[float, ...] = ()
    is_other: bool = False


@dataclass(frozen=True, slots=True)
class FlowReport:
    """The rows of one interval, in the order asked for.

    rows: `~other` comes last where it counts anything, whatever the limit and the filters: what is
    in it cannot be told apart. totals: all that passed the filters, shown or hidden, and `~other`.
    hidden: rows beyond the limit. interval_s: what `recent` spans, > 0 after the first tick.
    elapsed_s: since the start. Rows may be made as they are read: read them before the next tick.
    """

    rows: Sequence[FlowRow]
    totals: FlowRow
    hidden: int
    interval_s: float
    elapsed_s: float
