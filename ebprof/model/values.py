"""What a profile is made of, one by one: for those who name addresses, and for those who print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    """An address in a mapping, with its frames, innermost inlined call first.

    There is at least one, but where an agent leaves names to a collector.
    """

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


CONTAINER, CONTAINER_NAME = "container", "container_name"
"""Keys of labels of a sample's process: the whole ID of its container (the name, of a runtime that
gives no ID), and what people call it."""
CGROUP, PROCESS, COMMAND = "cgroup", "process", "command"
"""The path of its cgroup; its own name, where a thread's may differ; its command line."""
_SHORT = 12


class Label(NamedTuple):
    """Something else that is known of a sample: a text or, where that is empty, a number.

    unit: of the number, empty where it is not known.
    """

    key: str
    text: str = ""
    number: int = 0
    unit: str = ""


def text_of(key: str, labels: Iterable[Label]) -> str:
    """The text that a label of this key has; empty where there is none."""
    return next((one.text for one in labels if one.key == key), "")


def container_text(labels: Sequence[Label]) -> str:
    """`web (3f4e5a6b7c8d)`: the name of a container and as much of its ID as people write; the
    whole ID of one that has no name; `[no container]`.
    """
    name, whole = text_of(CONTAINER_NAME, labels), text_of(CONTAINER, labels)
    shown = f"{name} ({whole[:_SHORT]})" if name and whole else name or whole
    return shown or "[no container]"


def cgroup_text(labels: Iterable[Label]) -> str:
    """The path of a cgroup, or `[no cgroup]`."""
    return text_of(CGROUP, labels) or "[no cgroup]"


def command_text(labels: Iterable[Label], process: str) -> str:
    """A command line; as ps has it, in brackets the name of a process that has none, or that was
    gone too soon.
    """
    return text_of(COMMAND, labels) or f"[{process}]"


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
    labels: what is known besides; a key may come several times.
    """

    pid: int
    tid: int
    comm: str
    locations: tuple[Location, ...]
    stop: str
    count: int
    time_ns: int | None = None
    values: tuple[int, ...] = ()
    labels: tuple[Label, ...] = ()
