"""Groups the frames of a profile by function, once per distinct location."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from ebprof.model import KERNEL_PATH, NONE, Lists, Profile, Samples, Tables
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

    lines: of each function, by the same index. of_location: indices by number of a location,
    outermost frame first; none for locations that no sample has.
    """

    functions: list[Function]
    lines: list[Lines]
    numbers: dict[Function, int]
    of_location: Lists = field(default_factory=lambda: lists_by_number({}, 0))

    def paths(self, stacks: Lists) -> Lists:
        """Function indices of stacks, outermost first."""
        return stacks.reversed().through(self.of_location)


class LocationFunctions:
    """The functions of locations, by number: outermost first; all but that one were inlined."""

    def __init__(self, tables: Tables) -> None:
        self._text = tables.strings
        self._mappings = tables.mapping_values
        self._mapping_of: list[int] = tables.locations["mapping"].tolist()
        self._names = tables.functions.tolist()
        self._frames = tables.frames.tolist()
        self._frames_of = list(tables.location_frames.values())
        self._known: dict[tuple[int, int, bool], Function] = {}

    def of(self, location: int) -> list[Function]:
        """The functions of a location."""
        mapping, inner = self._mapping_of[location], self._frames_of[location]
        last = len(inner) - 1
        return [
            self._function(self._frames[inner[at]][0], mapping, at < last)
            for at in range(last, -1, -1)
        ]

    def lines(self, location: int) -> list[int]:
        """The lines of the same, 0 where they are not known."""
        return [self._frames[one][1] for one in reversed(self._frames_of[location])]

    def _function(self, function: int, mapping: int, is_inlined: bool) -> Function:
        key = function, mapping, is_inlined
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._new(function, mapping, is_inlined)
        return known

    def _new(self, function: int, number: int, is_inlined: bool) -> Function:
        name, _, file = self._names[function]
        mapping = None if number == NONE else self._mappings[number]
        return Function(
            printable(self._text[name]),
            printable(mapping.name) if mapping else "",
            kind_of(mapping.path if mapping else "", self._text[name]),
            is_inlined,
            printable(self._text[file]),
        )


def index_functions(profile: Profile, extra: Iterable[Function] = ()) -> FunctionIndex:
    """Index the functions of a profile, and `extra` ones that the caller puts into stacks."""
    tables = profile.samples.tables
    found = LocationFunctions(tables)
    lines = {function: Lines() for function in extra}
    of_location: dict[int, list[Function]] = {}
    for location in profile.samples.locations.tolist():
        of_location[location] = functions = found.of(location)
        for function, line in zip(functions, found.lines(location), strict=True):
            lines.setdefault(function, Lines()).add(line)
    functions = sorted(lines)
    numbers = {function: number for number, function in enumerate(functions)}
    return FunctionIndex(
        functions,
        [lines[function] for function in functions],
        numbers,
        lists_by_number(
            {key: [numbers[one] for one in found] for key, found in of_location.items()},
            len(tables.locations),
        ),
    )


def lists_by_number(lists: dict[int, list[int]], size: int) -> Lists:
    """Lists by number below size; those that are missing are empty."""
    lengths = np.zeros(size, np.int64)
    lengths[list(lists)] = list(map(len, lists.values()))
    ordered = (lists[number] for number in sorted(lists))
    items = np.fromiter(chain.from_iterable(ordered), np.int32)
    return Lists(np.append(0, np.cumsum(lengths)), items)


def has_comms(profile: Profile) -> bool:
    """Whether processes have names: folded stacks of other programs, and some pprofs, lack them."""
    return not profile.samples or profile.samples.comms != {""}


def incomplete(samples: Samples) -> int:
    """How many samples have a user stack that lacks its callers."""
    stops = np.array([text not in WHOLE for text in samples.tables.strings], np.bool_)
    is_incomplete = stops[samples.rows["stop"]]
    return int(samples.counts[is_incomplete].sum())


def process(comm: str) -> Function:
    """What stands for a process of this name in a call tree."""
    return Function(printable(comm) or UNKNOWN_COMM, kind=PROCESS)


def stop(reason: str) -> Function | None:
    """What stands for the callers that an incomplete stack lacks; None for a whole stack."""
    if reason in WHOLE:
        return None
    return Function(f"[incomplete: {printable(reason)}]", kind=STOP)


def is_nameless(name: str) -> bool:
    """True for `[module]+0xoffset`, which stands where no name is known."""
    return _NAMELESS.fullmatch(name) is not None


def kind_of(path: str, name: str) -> str:
    """The kind of a function; path: of its mapping, empty where it has none."""
    if path == KERNEL_PATH:
        return KERNEL
    if is_nameless(name):
        return UNKNOWN
    return JIT if path.startswith(_JIT_PATHS) else USER
