"""Joins two profiles: what in the one is what in the other.

A function is the same in both when its name is, and both are the kernel's or neither is: not its
address, its line, its object file's path or whether its call was inlined, which change from build
to build. Of code without a name `nameless` says what is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import sqrt
from typing import NamedTuple

from ebprof.comparison.functions import Functions, Path
from ebprof.comparison.renaming import NOTHING, Renaming
from ebprof.errors import UsageError
from ebprof.model import Profile
from ebprof.output import _functions
from ebprof.output._cpu import cpu_ns
from ebprof.output._functions import Function
from ebprof.output._measure import Measure, divisor, measure
from ebprof.output._text import printable
from ebprof.output._types import in_parts, is_bare, select
from ebprof.shortnames import short_name

SELF, TOTAL = "self", "total"
_MILLION = 1_000_000
CORES = Measure((("", _MILLION),), "cores")
"""Amounts in millionths of a core."""
SIGMAS = 3


class Pair(NamedTuple):
    """A quantity in the profile before (A) and in the one after (B)."""

    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One of two profiles compared.

    name: what it is shown by, printable. incomplete: samples whose user stack lacks its callers.
    cpu_ns: the CPU time that a sample stands for; 0 where it is none.
    """

    name: str
    samples: int
    incomplete: int
    period: int
    time_ns: int
    duration_ns: int
    cpu_ns: int = 0

    @property
    def cores(self) -> float | None:
        """How many cores its samples kept busy; None where nobody knows."""
        is_known = self.cpu_ns and self.duration_ns > 0
        return self.samples * self.cpu_ns / self.duration_ns if is_known else None

    def millionths(self, samples: int) -> int:
        """Millionths of a core that so many samples kept busy."""
        return round(Fraction(samples * self.cpu_ns * _MILLION, self.duration_ns))


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

    The process (by comm) is first, unless the comparison leaves processes out.
    """

    path: Path
    count: Pair


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two profiles have, each in samples of its own.

    functions: of all stacks, sorted, processes included. stacks: those of either, sorted.
    unit: of the runs' periods, or of the values that are compared. is_absolute: whether quantities
    are compared as they are, not as shares of their profile. measure: how values of a sample type
    are written; None where samples are compared. rebuilt: modules that are of another build in B,
    by the numbers of those of their functions that have no name. unnamed: what the processes are
    called whose names are left out, in A and in B; empty where they are not.
    """

    event: str
    unit: str
    before: Run
    after: Run
    functions: tuple[Function, ...]
    stacks: tuple[StackChange, ...]
    is_absolute: bool = False
    measure: Measure | None = None
    rebuilt: Mapping[int, str] = field(default_factory=dict)
    unnamed: tuple[str, ...] = ()

    @property
    def total(self) -> Pair:
        """All samples."""
        return Pair(self.before.samples, self.after.samples)

    @property
    def has_values(self) -> bool:
        """Whether a sample of the one stands for another value than one of the other."""
        periods = {self.before.period, self.after.period}
        return len(periods) == 2 and 0 not in periods

    @property
    def is_in_cores(self) -> bool:
        """Whether amounts are cores: CPU time a second, whatever the lengths of the two."""
        return self.is_absolute and None not in (self.before.cores, self.after.cores)

    @property
    def shown(self) -> Measure | None:
        """How amounts are written; None for numbers of samples, or values in `unit`."""
        return CORES if self.is_in_cores else self.measure

    def amount(self, count: Pair) -> Pair:
        """What the samples amount to: millionths of a core if `is_in_cores`, values in `unit` if
        `has_values`, else themselves.
        """
        if self.is_in_cores:
            return Pair(self.before.millionths(count.before), self.after.millionths(count.after))
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
        return [
            change
            for change in self._sums(self.functions, range(len(self.functions)))
            if change.function.kind != _functions.PROCESS
        ]

    def builds(self) -> list[FunctionChange]:
        """All code without names of each module that is of another build in B, as one function."""
        names = sorted(set(self.rebuilt.values()))
        kind = _functions.UNKNOWN
        whole = [Function(f"[{name}]", name, kind) for name in names]
        numbers = {name: number for number, name in enumerate(names)}
        of_function = [
            numbers[self.rebuilt[one]] if one in self.rebuilt else -1
            for one in range(len(self.functions))
        ]
        return self._sums(whole, of_function)

    def with_short_names(self) -> Comparison:
        """The same with C++ names as people write them; functions stay apart."""
        short = (replace(one, name=short_name(one.name)) for one in self.functions)
        return replace(self, functions=tuple(short))

    def shared(self) -> Pair:
        """Samples of those stacks that both have."""
        both = [one.count for one in self.stacks if all(one.count)]
        return Pair(sum(one.before for one in both), sum(one.after for one in both))

    def _sums(
        self, functions: Sequence[Function], of_number: Sequence[int]
    ) -> list[FunctionChange]:
        """Of functions that stand for others: by whose number, -1 for none."""
        own, total = _Sums(len(functions)), _Sums(len(functions))
        for stack in self.stacks:
            numbers = [of_number[one] for one in stack.path]
            for number in set(numbers) - {-1}:
                total.add(number, stack.count)
            for number in numbers[-1:]:
                if number >= 0:
                    own.add(number, stack.count)
        return [
            FunctionChange(function, own.pair(number), total.pair(number))
            for number, function in enumerate(functions)
        ]


def compare(
    before: Profile,
    after: Profile,
    names: tuple[str, str] = ("A", "B"),
    *,
    is_absolute: bool = False,
    renaming: Renaming = NOTHING,
) -> Comparison:
    """Join two profiles; raises UsageError where they count different things, or nothing.

    renaming: what the first calls otherwise than the second.
    """
    for profile, name in zip((before, after), names, strict=True):
        if not profile.total:
            raise UsageError(f"{printable(name)} has no {_counted(profile)}", _hint(profile))
    before, after = _in_one_unit(before, after)
    _check_alike(before, after, names)
    known = after if is_bare(before) else before
    typed = [one for one in (before, after) if not one.is_sampled]
    functions = Functions(before, after, renaming)
    return Comparison(
        printable(known.subject.name),
        printable(known.subject.unit),
        _run(before, names[0]),
        _run(after, names[1]),
        tuple(functions.sorted),
        tuple(_join(*functions.counts)),
        is_absolute,
        measure(typed[0].subject) if typed else None,
        functions.rebuilt,
        () if functions.is_named else _processes(before, after),
    )


def _processes(before: Profile, after: Profile) -> tuple[str, ...]:
    """What processes are called, if each side has one name."""
    comms = [one.samples.comms for one in (before, after)]
    if any(len(one) != 1 or one == {""} for one in comms):
        return ()
    return tuple(_functions.process(*one).name for one in comms)


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
        cpu_ns(profile),
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
