"""Joins two profiles: what in the one is what in the other.

A function is the same in both when its name is, and both are the kernel's or neither is: not its
address, its line, its object file's path or whether its call was inlined, which change from build
to build. Code without names is one function a module: its addresses are other ones in another
build, and in one build hardly two samples have the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import NamedTuple

from ebprof.errors import UsageError
from ebprof.model import Profile, Samples
from ebprof.output import _functions
from ebprof.output._functions import KERNEL, Function, LocationFunctions
from ebprof.output._measure import Measure, divisor, measure
from ebprof.output._text import printable
from ebprof.output._types import in_parts, is_bare, select

Path = tuple[int, ...]
_Key = tuple[str, str]

SELF, TOTAL = "self", "total"
SIGMAS = 3


class Pair(NamedTuple):
    """A quantity in the profile before (A) and in the one after (B)."""

    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One of two profiles compared.

    name: what it is shown by, printable. incomplete: samples whose user stack lacks its callers.
    """

    name: str
    samples: int
    incomplete: int
    period: int
    time_ns: int
    duration_ns: int


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """A function, and the samples in which it ran itself, and in which it was on the stack."""

    function: Function
    own: Pair
    total: Pair

    def count(self, share: str) -> Pair:
        """Its own samples for `self`, else all."""
        return self.own if share == SELF else self.total


@dataclass(frozen=True, slots=True)
class StackChange:
    """A stack, as indices into the functions, and its samples.

    The process (by comm) is first, unless no process has a name.
    """

    path: Path
    count: Pair


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two profiles have, each in samples of its own.

    functions: of all stacks, sorted, processes included. stacks: those of either, sorted.
    unit: of the runs' periods, or of the values that are compared. is_absolute: whether quantities
    are compared as they are, not as shares of their profile. measure: how values of a sample type
    are written; None where samples are compared.
    """

    event: str
    unit: str
    before: Run
    after: Run
    functions: tuple[Function, ...]
    stacks: tuple[StackChange, ...]
    is_absolute: bool = False
    measure: Measure | None = None

    @property
    def total(self) -> Pair:
        """All samples."""
        return Pair(self.before.samples, self.after.samples)

    @property
    def has_values(self) -> bool:
        """Whether a sample of the one stands for another value than one of the other."""
        periods = {self.before.period, self.after.period}
        return len(periods) == 2 and 0 not in periods

    def amount(self, count: Pair) -> Pair:
        """What the samples amount to: values in `unit` if `has_values`, else themselves."""
        if not self.has_values:
            return count
        return Pair(count.before * self.before.period, count.after * self.after.period)

    def points(self, count: Pair) -> float:
        """The change in percentage points.

        Each count is taken as a share of all samples of its profile or, if `is_absolute`, its
        amount as one of the larger profile's amount.
        """
        before, after = self.amount(count) if self.is_absolute else count
        whole = self.whole
        # One division, of integers: a change of just so many points is not a bit less.
        change = after * whole.before - before * whole.after
        return 100 * change / (whole.before * whole.after)

    def is_chance(self, count: Pair) -> bool:
        """Whether samples taken at random of two equal runs would differ as much now and then.

        True for a change of at most SIGMAS standard deviations: those of two proportions or, if
        `is_absolute`, of two counts. Of values nobody knows how many samples made them.
        """
        if self.measure is not None:
            return False
        if self.is_absolute:
            before, after = self.amount(count)
            squares = sum(
                one * one / number
                for one, number in zip((before, after), count, strict=True)
                if one
            )
            return abs(after - before) <= SIGMAS * sqrt(squares)
        alike = sum(count) / sum(self.total)
        deviation = sqrt(alike * (1 - alike) * sum(1 / one for one in self.total))
        return abs(self.points(count)) <= 100 * SIGMAS * deviation

    @property
    def whole(self) -> Pair:
        """What `points` takes for 100 %."""
        if not self.is_absolute:
            return self.total
        larger = max(self.amount(self.total))
        return Pair(larger, larger)

    def changes(self) -> list[FunctionChange]:
        """The functions of either profile, without processes, in order of their names.

        A function that is several times on a stack counts once in its total.
        """
        own, total = _Sums(len(self.functions)), _Sums(len(self.functions))
        for stack in self.stacks:
            for number in set(stack.path):
                total.add(number, stack.count)
            for number in stack.path[-1:]:
                own.add(number, stack.count)
        return [
            FunctionChange(function, own.pair(number), total.pair(number))
            for number, function in enumerate(self.functions)
            if function.kind != _functions.PROCESS
        ]


def compare(
    before: Profile,
    after: Profile,
    names: tuple[str, str] = ("A", "B"),
    *,
    is_absolute: bool = False,
) -> Comparison:
    """Join two profiles; raises UsageError where they count different things, or nothing."""
    for profile, name in zip((before, after), names, strict=True):
        if not profile.total:
            raise UsageError(f"{printable(name)} has no {_counted(profile)}", _hint(profile))
    before, after = _in_one_unit(before, after)
    _check_alike(before, after, names)
    known = after if is_bare(before) else before
    typed = [one for one in (before, after) if not one.is_sampled]
    functions = _Functions([before, after])
    return Comparison(
        printable(known.subject.name),
        printable(known.subject.unit),
        _run(before, names[0]),
        _run(after, names[1]),
        tuple(functions.sorted),
        tuple(_join(*functions.counts)),
        is_absolute,
        measure(typed[0].subject) if typed else None,
    )


def _counted(profile: Profile) -> str:
    return "samples" if profile.is_sampled else printable(profile.subject.name)


def _hint(profile: Profile) -> str:
    if len(profile.sample_types) > 1:
        return f"--sample-type shows {printable(', '.join(one.name for one in profile.types))}"
    return "record longer, or a busier time"


def _in_one_unit(before: Profile, after: Profile) -> tuple[Profile, Profile]:
    """The two, with values of the same type where only one has samples, and as many decimals."""
    for one, other in ((before, after), (after, before)):
        if one.is_sampled and not other.is_sampled and other.subject in one.types:
            changed = select(one, other.subject.name, "")
            before, after = (changed, after) if one is before else (before, changed)
    parts = max(divisor(one.subject.unit) for one in (before, after))
    return in_parts(before, parts), in_parts(after, parts)


def _check_alike(before: Profile, after: Profile, names: tuple[str, str]) -> None:
    if is_bare(before) or is_bare(after):
        return
    told = [printable(f"{one.subject.name} ({one.subject.unit})") for one in (before, after)]
    if before.subject != after.subject:
        is_sampled = before.is_sampled and after.is_sampled
        raise UsageError(
            f"{printable(names[0])} counts {told[0]}, {printable(names[1])} {told[1]}",
            "record both with the same -e" if is_sampled else "choose one with --sample-type",
        )


def _run(profile: Profile, name: str) -> Run:
    return Run(
        printable(name),
        profile.total,
        _functions.incomplete(profile.samples),
        profile.period if profile.is_sampled else 0,
        profile.time_ns,
        profile.duration_ns,
    )


def _join(before: Counter[Path], after: Counter[Path]) -> Iterator[StackChange]:
    for path in sorted(before.keys() | after.keys()):
        yield StackChange(path, Pair(before[path], after[path]))


class _Sums:
    """Pairs that are added to, by index."""

    def __init__(self, size: int) -> None:
        self._before = [0] * size
        self._after = [0] * size

    def add(self, number: int, count: Pair) -> None:
        self._before[number] += count.before
        self._after[number] += count.after

    def pair(self, number: int) -> Pair:
        return Pair(self._before[number], self._after[number])


class _Functions:
    """The functions of several profiles, each once.

    How one is shown is taken from the last profile that knows its module.
    """

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._is_named = any(map(_functions.has_comms, profiles))
        shown: dict[_Key, Function] = {}
        keys: list[dict[int, list[_Key]]] = []
        for profile in profiles:
            found: dict[_Key, set[Function]] = {}
            keys.append(_keys(profile.samples, found))
            for comm in profile.samples.comms if self._is_named else ():
                _put(found, _functions.process(comm))
            for key, alike in found.items():
                function = _show(alike)
                if function.module or key not in shown:
                    shown[key] = function
        self.sorted = sorted(shown.values())
        self._numbers = {_key(function): number for number, function in enumerate(self.sorted)}
        pairs = zip(profiles, keys, strict=True)
        self.counts = [self._count(profile.samples, found) for profile, found in pairs]
        """Samples of each profile by stack: the process, if they have names, and functions from
        the outermost."""

    def _count(self, samples: Samples, keys: dict[int, list[_Key]]) -> Counter[Path]:
        of_location = _functions.lists_by_number(
            {place: [self._numbers[key] for key in found] for place, found in keys.items()},
            len(samples.tables.locations),
        )
        groups = samples.by("comm", "stack")
        found = samples.rows[groups.first]
        paths = samples.tables.stacks.take(found["stack"]).reversed().through(of_location)
        heads = {one: self._head(samples.tables.strings[one]) for one in found["comm"].tolist()}
        columns = found["comm"].tolist(), paths.values(), groups.sums(samples.counts).tolist()
        stacks: Counter[Path] = Counter()
        for comm, path, count in zip(*columns, strict=True):
            stacks[(*heads[comm], *path)] += count
        return stacks

    def _head(self, comm: str) -> Path:
        return (self._numbers[_key(_functions.process(comm))],) if self._is_named else ()


def _keys(samples: Samples, found: dict[_Key, set[Function]]) -> dict[int, list[_Key]]:
    """What the functions of each location are the same by; puts them into `found`."""
    functions = LocationFunctions(samples.tables)
    return {
        location: [_put(found, _merged(one)) for one in functions.of(location)]
        for location in samples.locations.tolist()
    }


def _merged(function: Function) -> Function:
    """A function without what sets builds apart."""
    name = function.name
    if _functions.is_nameless(name):
        name = name[: name.rindex("+0x")]
    return replace(function, name=name, is_inlined=False)


def _put(found: dict[_Key, set[Function]], function: Function) -> _Key:
    key = _key(function)
    found.setdefault(key, set()).add(function)
    return key


def _key(function: Function) -> _Key:
    is_apart = function.kind in (KERNEL, _functions.PROCESS)
    return function.name, function.kind if is_apart else ""


def _show(alike: Iterable[Function]) -> Function:
    """One for functions of a name; its module is the list of theirs."""
    first = min(alike)
    modules = sorted({one.module for one in alike if one.module})
    return replace(first, module=", ".join(modules))
