"""Samples in columns, over tables in which each string, frame, location and stack is once.

A number is an index into a table. Whoever prints a profile looks at each distinct stack once, and
adds up counts by NumPy; whoever wants samples one by one gets them as `Sample`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ebprof.model.arrays import distinct
from ebprof.model.values import Frame, Label, Location, Mapping, Sample

Numbers = NDArray[Any]

NONE = -1
"""A location's mapping, and a sample's time, where there is none."""

MAPPING = np.dtype(
    [
        ("path", np.uint32),
        ("build_id", np.uint32),
        ("start", np.uint64),
        ("limit", np.uint64),
        ("offset", np.uint64),
    ]
)
"""Of `Mapping`; path, build_id: strings."""
FUNCTION = np.dtype([("name", np.uint32), ("system_name", np.uint32), ("file", np.uint32)])
"""Strings: what the frames of one function share."""
FRAME = np.dtype([("function", np.uint32), ("line", np.int64)])
"""A line of a function."""
LOCATION = np.dtype([("address", np.uint64), ("mapping", np.int32)])
"""Of `Location`; its frames are in a list of their own."""
LABEL = np.dtype(
    [("key", np.uint32), ("text", np.uint32), ("number", np.int64), ("unit", np.uint32)]
)
"""Of `Label`; all but number are strings."""
SAMPLE = np.dtype(
    [
        ("pid", np.int64),
        ("tid", np.int64),
        ("time_ns", np.int64),
        ("stack", np.uint32),
        ("comm", np.uint32),
        ("stop", np.uint32),
        ("labels", np.uint32),
    ]
)
"""Of `Sample`; comm, stop: strings; labels: a set of labels."""

_EXACT = 1 << 53
"""Sums of doubles below it are exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Lists of numbers, one behind the other.

    starts: int64[lists + 1], where each begins in items, and where the last one ends.
    """

    starts: NDArray[np.int64]
    items: Numbers

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> Numbers:
        return self.items[self.starts[number] : self.starts[number + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64[lists]: how many numbers each has."""
        return np.diff(self.starts)

    def take(self, numbers: Numbers) -> Lists:
        """Some of the lists, in the order of their numbers."""
        lengths = self.lengths[numbers]
        ends = np.cumsum(lengths)
        within = np.arange(int(lengths.sum())) - np.repeat(ends - lengths, lengths)
        items = self.items[np.repeat(self.starts[numbers], lengths) + within]
        return Lists(np.append(0, ends), items)

    def reversed(self) -> Lists:
        """The lists, each from its end to its start; all of items is in some list."""
        lengths = self.lengths
        ends = np.repeat(self.starts[:-1] + self.starts[1:] - 1, lengths)
        return Lists(self.starts, self.items[ends - np.arange(len(self.items))])

    def through(self, other: Lists) -> Lists:
        """The lists with the numbers of another list in place of that list's number."""
        if len(other.items) == len(other) and (other.lengths == 1).all():
            return Lists(self.starts, other.items[self.items])
        inner = other.take(self.items)
        return Lists(inner.starts[self.starts], inner.items)

    def sums(self, values: Numbers) -> NDArray[np.int64]:
        """int64[lists]: the sum of the values that stand by the numbers of each list."""
        upto = np.append(0, np.cumsum(values[self.items], dtype=np.int64))
        return np.asarray(upto[self.starts[1:]] - upto[self.starts[:-1]])

    def values(self) -> Iterator[list[int]]:
        """The lists as Python has them."""
        items, starts = self.items.tolist(), self.starts.tolist()
        return (items[start:end] for start, end in pairwise(starts))


@dataclass(frozen=True, eq=False)
class Tables:
    """What the samples of a profile name by number.

    strings: the first one is empty. locations: LOCATION[n]; location_frames: numbers of each one's
    frames, innermost inlined call first. stacks: numbers of locations, leaf first. label_sets:
    numbers of labels; the first set is empty. lineage: the same object in tables of which one goes
    on where the other ended: what both have has the same number.
    """

    strings: Sequence[str]
    mappings: Numbers
    functions: Numbers
    frames: Numbers
    locations: Numbers
    location_frames: Lists
    stacks: Lists
    labels: Numbers
    label_sets: Lists
    lineage: object = field(default_factory=object)

    def stack(self, number: int) -> tuple[Location, ...]:
        """The locations of a stack: the same tuple each time."""
        known = self._stacks.get(number)
        if known is None:
            values = self.location_values
            known = tuple(values[one] for one in self.stacks[number].tolist())
            self._stacks[number] = known
        return known

    @cached_property
    def mapping_values(self) -> list[Mapping]:
        """All mappings, one by one."""
        text = self.strings
        return [
            Mapping(text[path], text[build_id], *rest)
            for path, build_id, *rest in self.mappings.tolist()
        ]

    @cached_property
    def frame_values(self) -> list[Frame]:
        """All frames, one by one."""
        text = self.strings
        functions = [
            (text[name], text[file], text[system_name])
            for name, system_name, file in self.functions.tolist()
        ]
        frames: list[Frame] = []
        for function, line in self.frames.tolist():
            name, file, system_name = functions[function]
            frames.append(Frame(name, file, line, system_name))
        return frames

    @cached_property
    def location_values(self) -> list[Location]:
        """All locations, one by one."""
        mappings, frames = self.mapping_values, self.frame_values
        pairs = zip(self.locations.tolist(), self.location_frames.values(), strict=True)
        return [
            Location(
                address,
                None if mapping == NONE else mappings[mapping],
                tuple([frames[one] for one in inner]),
            )
            for (address, mapping), inner in pairs
        ]

    @cached_property
    def label_values(self) -> list[tuple[Label, ...]]:
        """All sets of labels, one by one."""
        text = self.strings
        labels = [
            Label(text[key], text[value], number, text[unit])
            for key, value, number, unit in self.labels.tolist()
        ]
        return [tuple(labels[one] for one in found) for found in self.label_sets.values()]

    @cached_property
    def _stacks(self) -> dict[int, tuple[Location, ...]]:
        return {}


@dataclass(frozen=True, eq=False)
class Samples(Sequence[Sample]):
    """Samples in columns; one by one they are `Sample`, made as they are read.

    rows: SAMPLE[n]. counts: int64[n], what each one counts in the sample type shown. values:
    int64[n, types], of all sample types; without columns where a profile names no types. All counts
    add up to less than 2 ** 63.
    """

    tables: Tables
    rows: Numbers
    counts: NDArray[np.int64]
    values: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Sample: ...

    @overload
    def __getitem__(self, at: slice) -> Samples: ...

    def __getitem__(self, at: int | slice) -> Sample | Samples:
        if isinstance(at, slice):
            return self.take(at)
        number = range(len(self))[at]
        return next(iter(self.take(slice(number, number + 1))))

    def __iter__(self) -> Iterator[Sample]:
        tables, text = self.tables, self.tables.strings
        columns = zip(
            self.rows.tolist(), self.counts.tolist(), map(tuple, self.values.tolist()), strict=True
        )
        for (pid, tid, time, stack, comm, stop, labels), count, values in columns:
            yield Sample(
                pid,
                tid,
                text[comm],
                tables.stack(stack),
                text[stop],
                count,
                None if time == NONE else time,
                values,
                tables.label_values[labels],
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Samples) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def take(self, chosen: Numbers | slice) -> Samples:
        """Some of the samples: by their numbers, bool[n], or a slice."""
        return Samples(self.tables, self.rows[chosen], self.counts[chosen], self.values[chosen])

    def most_first(self) -> Samples:
        """The samples with the largest counts first, else in their order."""
        return self.take(np.argsort(-self.counts, kind="stable"))

    @property
    def total(self) -> int:
        """The sum of the counts."""
        return int(self.counts.sum())

    @property
    def stacks(self) -> Numbers:
        """Numbers of the stacks that samples have, each once, in the order of first sight."""
        return first_seen(self.rows["stack"], len(self.tables.stacks))

    @property
    def locations(self) -> Numbers:
        """Numbers of the locations on these stacks, in the order of first sight, leaf first."""
        on_stacks = self.tables.stacks.take(self.stacks).items
        return first_seen(on_stacks, len(self.tables.locations))

    @property
    def comms(self) -> set[str]:
        """Names that threads of samples have."""
        return {self.tables.strings[one] for one in distinct(self.rows["comm"]).tolist()}

    def by(self, *names: str) -> Groups:
        """The samples put together by some of the columns of SAMPLE."""
        return grouped(*(self.rows[name] for name in names))


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows put together: groups are in the order of first sight.

    first: int64[groups], the first row of each. of_row: int64[n], the group of each row.
    """

    first: NDArray[np.int64]
    of_row: NDArray[np.int64]

    def sums(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[groups]: the sum of each group's counts."""
        return sums(self.of_row, counts, len(self.first))


def grouped(*columns: Numbers) -> Groups:
    """Put rows together that have the same numbers in all of the columns, which are as long."""
    codes, size = _codes(columns[0])
    for column in columns[1:]:
        more, count = _codes(column)
        if size * count > 1 << 62:
            codes, size = _ranks(codes)
        codes, size = codes * count + more, size * count
    _, first, of_row = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Groups(first[order], rank[of_row.reshape(-1)])


def sums(groups: Numbers, counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """int64[size]: the sum of the counts of each group; groups: int[n], the group of each count."""
    most = max(int(counts.max(initial=0)), -int(counts.min(initial=0)))
    if most * len(counts) < _EXACT:
        return np.bincount(groups, counts, size).astype(np.int64)
    found = np.zeros(size, np.int64)
    np.add.at(found, groups, counts)
    return found


def first_seen(numbers: Numbers, size: int) -> NDArray[np.int64]:
    """The distinct ones of some numbers below size, in the order in which they come."""
    places = np.full(size, len(numbers))
    places[numbers[::-1]] = np.arange(len(numbers))[::-1]
    found = np.flatnonzero(places < len(numbers))
    return found[np.argsort(places[found])]


def _codes(column: Numbers) -> tuple[NDArray[np.int64], int]:
    """Numbers from 0 to below a size for a column's: its own where they are small."""
    numbers = column.astype(np.int64)
    least, most = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    if least >= 0 and most < 1 << 31:
        return numbers, most + 1
    return _ranks(numbers)


def _ranks(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    distinct, ranks = np.unique(numbers, return_inverse=True)
    return ranks.reshape(-1), max(1, len(distinct))
