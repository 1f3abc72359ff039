"""What the rooms exchange: frozen values without behaviour of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Sample:
    """A stack and how often it was seen.

    locations: leaf first; kernel locations, when there are any, before user ones.
    stop: name of the stop reason of the user stack (`complete` when it reached the outermost
    frame); empty when the profile was read from a format that does not carry one.
    """

    pid: int
    tid: int
    comm: str
    locations: tuple[Location, ...]
    stop: str
    count: int


@dataclass(frozen=True, slots=True)
class Profile:
    """Samples of one event over one run.

    event: name of what was sampled, e.g. `cpu-clock` or `cycles`.
    period: value of one sample in `unit` (nanoseconds for cpu-clock); 0 when unknown.
    time_ns: start, nanoseconds since the epoch; duration_ns: length of the run.
    """

    samples: tuple[Sample, ...]
    event: str = "cpu-clock"
    unit: str = "nanoseconds"
    period: int = 0
    time_ns: int = 0
    duration_ns: int = 0
    comments: tuple[str, ...] = field(default=())

    @property
    def total(self) -> int:
        """Number of samples taken."""
        return sum(sample.count for sample in self.samples)
