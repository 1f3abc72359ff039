"""The functions of two profiles, and their stacks as functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ebprof.comparison import nameless
from ebprof.comparison.nameless import Nameless, Place
from ebprof.comparison.renaming import NOTHING, Renaming
from ebprof.model import Profile, Samples
from ebprof.output import _functions
from ebprof.output._functions import KERNEL, Function, LocationFunctions

Path = tuple[int, ...]
Key = tuple[str, str]


class Functions:
    """The functions of two profiles, each once.

    How one is shown is taken from the last profile that knows its module. rebuilt: see Comparison.
    """

    def __init__(self, before: Profile, after: Profile, renaming: Renaming) -> None:
        self.is_named = renaming.is_named and any(map(_functions.has_comms, (before, after)))
        sides = Side(before.samples, renaming), Side(after.samples, NOTHING)
        unnamed = Nameless()
        for number, side in enumerate(sides):
            side.note(number, unnamed)
        shown: dict[Key, Function] = {}
        for side in sides:
            side.call(unnamed)
            for comm in side.comms.values() if self.is_named else ():
                _put(side.found, _functions.process(comm))
            for key, alike in side.found.items():
                function = _show(alike)
                if function.module or key not in shown:
                    shown[key] = function
        self.sorted = sorted(shown.values())
        self._numbers = {_key(function): number for number, function in enumerate(self.sorted)}
        self.rebuilt = {
            self._numbers[key]: module for one in sides for key, module in one.rebuilt.items()
        }
        self.counts = [self._count(side) for side in sides]
        """Samples of each profile by stack: the process, if they have names, and functions from
        the outermost."""

    def _count(self, side: Side) -> Counter[Path]:
        samples = side.samples
        of_location = _functions.lists_by_number(
            {place: [self._numbers[key] for key in found] for place, found in side.keys.items()},
            len(samples.tables.locations),
        )
        groups = samples.by("comm", "stack")
        found = samples.rows[groups.first]
        paths = samples.tables.stacks.take(found["stack"]).reversed().through(of_location)
        heads = {one: self._head(comm) for one, comm in side.comms.items()}
        columns = found["comm"].tolist(), paths.values(), groups.sums(samples.counts).tolist()
        stacks: Counter[Path] = Counter()
        for comm, path, count in zip(*columns, strict=True):
            stacks[(*heads[comm], *path)] += count
        return stacks

    def _head(self, comm: str) -> Path:
        return (self._numbers[_key(_functions.process(comm))],) if self.is_named else ()


class Side:
    """The functions of one profile, with what they are the same by.

    comms: of processes, by number. found: functions of each key. keys: of the functions of each
    location, outermost first. rebuilt: modules by the keys of their functions.
    """

    def __init__(self, samples: Samples, renaming: Renaming) -> None:
        self.samples = samples
        self._renaming = renaming
        text = samples.tables.strings
        self.comms = {
            one: renaming.process(text[one]) for one in set(samples.rows["comm"].tolist())
        }
        known = LocationFunctions(samples.tables)
        self._functions = {one: known.of(one) for one in samples.locations.tolist()}
        self._places: dict[int, Place] = {
            location: replace(place, label=renaming.module(place.label))
            for location, place in nameless.places(samples, self._functions)
        }
        self.found: dict[Key, set[Function]] = {}
        self.keys: dict[int, list[Key]] = {}
        self.rebuilt: dict[Key, str] = {}

    def note(self, number: int, unnamed: Nameless) -> None:
        """Have it know where this profile, of a number, has code without a name."""
        for location, place in self._places.items():
            for function in self._functions[location]:
                if _functions.is_nameless(function.name):
                    unnamed.note(number, function.name, place)

    def call(self, unnamed: Nameless) -> None:
        """Find `found`, `keys` and `rebuilt`."""
        for location, functions in self._functions.items():
            self.keys[location] = [self._put(one, location, unnamed) for one in functions]

    def _put(self, function: Function, location: int, unnamed: Nameless) -> Key:
        """A function without what sets builds apart."""
        place = self._places.get(location)
        rebuilt = ""
        if place is not None and _functions.is_nameless(function.name):
            function = unnamed.called(function, place)
            rebuilt = unnamed.rebuilt(place)
        # What is A's alone stays where it was.
        module = function.module if rebuilt else self._renaming.module(function.module)
        key = _put(self.found, replace(function, is_inlined=False, module=module))
        if rebuilt:
            self.rebuilt[key] = rebuilt
        return key


def _put(found: dict[Key, set[Function]], function: Function) -> Key:
    key = _key(function)
    found.setdefault(key, set()).add(function)
    return key


def _key(function: Function) -> Key:
    is_apart = function.kind in (KERNEL, _functions.PROCESS)
    return function.name, function.kind if is_apart else ""


def _show(alike: Iterable[Function]) -> Function:
    """One for functions of a name; its module is the list of theirs."""
    first = min(alike)
    modules = sorted({one.module for one in alike if one.module})
    return replace(first, module=", ".join(modules))
