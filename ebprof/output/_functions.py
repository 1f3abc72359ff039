"""Groups the frames of a profile by function, once per distinct location."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from ebprof.model import Frame, Location, Profile, Sample
from ebprof.output._text import UNKNOWN_COMM, printable

KERNEL, USER, JIT, UNKNOWN = "kernel", "user", "jit", "unknown"
PROCESS, STOP = "process", "stop"

# Stop reasons of stacks that lack nothing; "" is a format that does not carry reasons.
WHOLE = frozenset(("", "complete", "no_user_stack", "not_asked"))

_NAMELESS = re.compile(r"\[[^\]]*\]\+0x[0-9a-f]+")
_JIT_PATHS = ("//anon", "[anon", "/memfd:", "/dev/zero", "/tmp/perf-", "anon_inode:")


@dataclass(frozen=True, slots=True, order=True)
class Function:
    """What the frames of one function share; text is printable.

    kind: kernel, user, jit or unknown; also process (a comm) and stop (an incomplete stack) for
    what stands in a call tree without being a function.
    is_inlined: the calls of it that the compiler inlined are a function of their own.
    """

    name: str
    module: str = ""
    kind: str = USER
    is_inlined: bool = False
    file: str = ""


@dataclass(slots=True)
class Lines:
    """First and last source line seen of a function; 0 while none is known."""

    first: int = 0
    last: int = 0

    def add(self, line: int) -> None:
        """Widen to `line`, unless it is unknown."""
        if line > 0:
            self.first = min(self.first or line, line)
            self.last = max(self.last, line)


@dataclass(slots=True)
class FunctionIndex:
    """The functions of a profile, sorted, and which of them each stack passes through.

    lines: of each function, by the same index.
    of_location: indices by `id()` of a location, outermost frame first; keyed by identity, since
    hashing a location costs more than all else that is done with it.
    """

    functions: list[Function]
    lines: list[Lines]
    of_location: dict[int, tuple[int, ...]]
    numbers: dict[Function, int]

    def path(self, sample: Sample) -> Iterator[int]:
        """Function indices of a sample's stack, outermost first."""
        outermost_first = reversed(sample.locations)
        return chain.from_iterable(map(self.of_location.__getitem__, map(id, outermost_first)))


@dataclass(slots=True)
class _Grouping:
    lines: dict[Function, Lines] = field(default_factory=dict)
    of_location: dict[int, tuple[Function, ...]] = field(default_factory=dict)

    def add(self, location: Location) -> None:
        functions = tuple(functions_of(location))
        self.of_location[id(location)] = functions
        for function, frame in zip(functions, reversed(location.frames), strict=True):
            self.lines.setdefault(function, Lines()).add(frame.line)


def index_functions(profile: Profile, extra: Iterable[Function] = ()) -> FunctionIndex:
    """Index the functions of a profile, and `extra` ones that the caller puts into stacks."""
    grouping = _Grouping({function: Lines() for function in extra})
    for location in distinct_locations(profile):
        grouping.add(location)
    functions = sorted(grouping.lines)
    numbers = {function: number for number, function in enumerate(functions)}
    return FunctionIndex(
        functions,
        [grouping.lines[function] for function in functions],
        {key: tuple(numbers[one] for one in found) for key, found in grouping.of_location.items()},
        numbers,
    )


def distinct_locations(profile: Profile) -> list[Location]:
    """The location objects of a profile, each once, in order of first sight, leaf first."""
    found: dict[int, Location] = {}
    for sample in profile.samples:
        for location in sample.locations:
            found[id(location)] = location
    return list(found.values())


def functions_of(location: Location) -> list[Function]:
    """The functions of a location, outermost first; all but that one were inlined."""
    module = printable(location.mapping.name) if location.mapping else ""
    last = len(location.frames) - 1
    functions = [
        Function(
            printable(frame.function),
            module,
            _kind(location, frame),
            number < last,
            printable(frame.file),
        )
        for number, frame in enumerate(location.frames)
    ]
    functions.reverse()
    return functions


def has_comms(profile: Profile) -> bool:
    """Whether processes have names: folded stacks of other programs, and some pprofs, lack them."""
    return not profile.samples or any(sample.comm for sample in profile.samples)


def process(sample: Sample) -> Function:
    """What stands for a sample's process in a call tree."""
    return Function(printable(sample.comm) or UNKNOWN_COMM, kind=PROCESS)


def stop(sample: Sample) -> Function | None:
    """What stands for the callers that an incomplete stack lacks; None for a whole stack."""
    if sample.stop in WHOLE:
        return None
    return Function(f"[incomplete: {printable(sample.stop)}]", kind=STOP)


def is_nameless(name: str) -> bool:
    """True for `[module]+0xoffset`, which stands where no name is known."""
    return _NAMELESS.fullmatch(name) is not None


def _kind(location: Location, frame: Frame) -> str:
    if location.is_kernel:
        return KERNEL
    if is_nameless(frame.function):
        return UNKNOWN
    if location.mapping is not None and location.mapping.path.startswith(_JIT_PATHS):
        return JIT
    return USER
