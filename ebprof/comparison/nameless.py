"""Which code without a name is the same in both profiles.

Such code is called `[module]+0xstart`, by where its function begins. That says something in the
same build only. Where it is the address of a sample, or nothing tells the build, a module is one
function: hardly two samples have the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ebprof.comparison.renaming import label_of
from ebprof.model import NONE, Samples
from ebprof.output import _functions
from ebprof.output._functions import Function
from ebprof.output._text import printable

_SHORT = 6
"""Digits of a build ID that tell builds apart, unless there are others that begin alike."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function without a name was met. label: the module in its name, as B calls it.

    build_id: of its mapping, empty where nothing tells it. is_start: it is not called by the
    address that was sampled.
    """

    label: str
    build_id: str
    is_start: bool


@dataclass(slots=True)
class _Module:
    """What is known of a module's code without names. builds: on each side. labels: in names, by
    build.
    """

    builds: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    starts: tuple[set[bool], set[bool]] = field(default_factory=lambda: (set(), set()))
    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def is_by_start(self) -> bool:
        """Whether all of its names say where a function of a known build begins."""
        of_unknown = any("" in one for one in self.builds)
        return not of_unknown and all(True in one for one in self.starts if one)

    @property
    def is_rebuilt(self) -> bool:
        """Whether it is another build in B."""
        return self.is_by_start and all(self.builds) and self.builds[0] != self.builds[1]

    def is_ambiguous(self, label: str) -> bool:
        """Whether functions of several builds are called by the same label."""
        return sum(label in one for one in self.labels.values()) > 1

    def short(self, build_id: str) -> str:
        """What tells a build from the others."""
        every = {*self.builds[0], *self.builds[1]}
        for digits in (_SHORT, 2 * _SHORT, None):
            if len({one[:digits] for one in every}) == len(every):
                return build_id[:digits]
        return build_id


class Nameless:
    """Names by which both profiles have the same code, after all places were noted."""

    def __init__(self) -> None:
        self._modules: dict[str, _Module] = defaultdict(_Module)

    def note(self, side: int, name: str, place: Place) -> None:
        """A function of a name was met in A (0) or B (1)."""
        module = self._modules[place.label]
        module.builds[side].add(place.build_id)
        module.starts[side].add(place.is_start)
        module.labels[place.build_id].add(label_of(name))

    def called(self, function: Function, place: Place) -> Function:
        """The function, as what is the same on both sides is called."""
        module = self._modules[place.label]
        if not module.is_by_start:
            return replace(function, name=f"[{place.label}]")
        label = label_of(function.name)
        if not module.is_ambiguous(label):
            return function
        number = function.name[function.name.rindex("+0x") :]
        return replace(function, name=f"[{label}@{module.short(place.build_id)}]{number}")

    def rebuilt(self, place: Place) -> str:
        """The module that is another build in B, if that is where the place is; else empty."""
        return place.label if self._modules[place.label].is_rebuilt else ""


def places(samples: Samples, functions: dict[int, list[Function]]) -> Iterator[tuple[int, Place]]:
    """Where code without a name was met, by the number of its location.

    functions: of each location.
    """
    tables = samples.tables
    for location, found in functions.items():
        name = next((one.name for one in found if _functions.is_nameless(one.name)), "")
        if name:
            address, number = tables.locations[location].tolist()
            mapping = None if number == NONE else tables.mapping_values[number]
            moved = address - mapping.start + mapping.offset if mapping else address
            start = int(name[name.rindex("+0x") :], 0)
            build_id = printable(mapping.build_id) if mapping else ""
            yield location, Place(label_of(name), build_id, start not in (address, moved))
