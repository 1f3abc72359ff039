"""Makes samples: for recorders, and for readers of formats that come one stack a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ebprof.model.arrays import Growing
from ebprof.model.columns import (
    FRAME,
    FUNCTION,
    LABEL,
    LOCATION,
    MAPPING,
    NONE,
    SAMPLE,
    Lists,
    Numbers,
    Samples,
    Tables,
)
from ebprof.model.values import Frame, Label, Location, Mapping, Sample


class _Table:
    """Rows of a dtype, each once."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._rows = Growing(dtype)
        self._numbers: dict[tuple[int, ...], int] = {}

    def number(self, *row: int) -> int:
        """The number of a row, which is added if it is new."""
        number = self._numbers.setdefault(row, len(self._numbers))
        if number == len(self._rows):
            self._rows.extend([row])
        return number

    @property
    def rows(self) -> Numbers:
        """All rows so far."""
        return self._rows.values


class _Lists:
    """Lists of numbers, one behind the other."""

    def __init__(self) -> None:
        self._items, self._starts = Growing(np.uint32), Growing(np.int64)
        self._starts.extend([0])

    def append(self, items: Sequence[int]) -> None:
        """Add a list at the end."""
        self._items.extend(items)
        self._starts.extend([len(self._items)])

    @property
    def lists(self) -> Lists:
        """All lists so far."""
        return Lists(self._starts.values, self._items.values)


class _ListTable(_Lists):
    """Lists of numbers, each once."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[tuple[int, ...], int] = {}

    def number(self, items: Iterable[int]) -> int:
        """The number of a list, which is added if it is new."""
        key, known = tuple(items), len(self._numbers)
        number = self._numbers.setdefault(key, known)
        if number == known:
            self.append(key)
        return number


class Builder:
    """Samples under construction. Numbers stay the same as long as the builder is used.

    types: how many sample types values are given for; 0: samples are only counted.
    """

    def __init__(self, types: int = 0) -> None:
        self._types = types
        self._lineage = object()
        self._strings: list[str] = []
        self._string_numbers: dict[str, int] = {}
        self._mappings, self._functions, self._frames = map(_Table, (MAPPING, FUNCTION, FRAME))
        self._labels = _Table(LABEL)
        self._locations = Growing(LOCATION)
        self._location_frames = _Lists()
        self._location_numbers: dict[Location, int] = {}
        self._frame_numbers: dict[Frame, int] = {}
        self._mapping_numbers: dict[Mapping | None, int] = {None: NONE}
        self._stacks, self._label_sets = _ListTable(), _ListTable()
        self.string("")
        self.labels(())
        self._forget_samples()

    def string(self, text: str) -> int:
        """The number of a string."""
        number = self._string_numbers.setdefault(text, len(self._strings))
        if number == len(self._strings):
            self._strings.append(text)
        return number

    def location(self, location: Location) -> int:
        """The number of a location."""
        number = self._location_numbers.setdefault(location, len(self._location_numbers))
        if number == len(self._locations):
            self._locations.extend([(location.address, self._mapping(location.mapping))])
            self._location_frames.append([*map(self._frame, location.frames)])
        return number

    def stack(self, locations: Iterable[int]) -> int:
        """The number of a stack; locations: their numbers, leaf first."""
        return self._stacks.number(locations)

    def labels(self, labels: Iterable[Label]) -> int:
        """The number of a set of labels; that without any is 0."""
        return self._label_sets.number(map(self._label, labels))

    def add(
        self,
        stack: int,
        count: int,
        *,
        pid: int = 0,
        tid: int = 0,
        comm: str = "",
        stop: str = "",
        time_ns: int | None = None,
        values: tuple[int, ...] = (),
        labels: int = 0,
    ) -> None:
        """Add a sample; stack, labels: their numbers; the others are those of `Sample`."""
        time = NONE if time_ns is None else time_ns
        self._rows.append((pid, tid, time, stack, self.string(comm), self.string(stop), labels))
        self._counts.append(count)
        self._values.append(values)

    def add_rows(self, rows: Numbers, counts: NDArray[np.int64]) -> None:
        """Add SAMPLE[n] and int64[n] to samples that are only counted."""
        self._flush()
        self._parts.append((rows, counts, np.empty((len(rows), self._types), np.int64)))

    def take(self) -> Samples:
        """The samples that were added since the last call, in their order."""
        self._flush()
        rows, counts, values = map(np.concatenate, zip(*self._parts, strict=True))
        self._forget_samples()
        return Samples(self._tables(), rows, counts, values)

    def _forget_samples(self) -> None:
        self._parts: list[tuple[Numbers, NDArray[np.int64], NDArray[np.int64]]] = []
        self._rows: list[tuple[int, ...]] = []
        self._counts: list[int] = []
        self._values: list[tuple[int, ...]] = []

    def _flush(self) -> None:
        """Make arrays of what was added one by one."""
        size = len(self._rows)
        values = np.array(self._values, np.int64).reshape(size, self._types)
        part = np.array(self._rows, SAMPLE), np.array(self._counts, np.int64), values
        self._rows, self._counts, self._values = [], [], []
        self._parts.append(part)

    def _tables(self) -> Tables:
        return Tables(
            self._strings,
            self._mappings.rows,
            self._functions.rows,
            self._frames.rows,
            self._locations.values,
            self._location_frames.lists,
            self._stacks.lists,
            self._labels.rows,
            self._label_sets.lists,
            self._lineage,
        )

    def _mapping(self, mapping: Mapping | None) -> int:
        number = self._mapping_numbers.get(mapping)
        if number is None:
            assert mapping is not None
            texts = self.string(mapping.path), self.string(mapping.build_id)
            number = self._mappings.number(*texts, mapping.start, mapping.limit, mapping.offset)
            self._mapping_numbers[mapping] = number
        return number

    def _frame(self, frame: Frame) -> int:
        number = self._frame_numbers.get(frame)
        if number is None:
            texts = map(self.string, (frame.function, frame.system_name, frame.file))
            number = self._frames.number(self._functions.number(*texts), frame.line)
            self._frame_numbers[frame] = number
        return number

    def _label(self, label: Label) -> int:
        key, text, unit = map(self.string, (label.key, label.text, label.unit))
        return self._labels.number(key, text, label.number, unit)


def samples_of(samples: Sequence[Sample]) -> Samples:
    """Samples in columns; all have as many values as the first."""
    builder = Builder(len(samples[0].values) if samples else 0)
    for one in samples:
        builder.add(
            builder.stack(map(builder.location, one.locations)),
            one.count,
            pid=one.pid,
            tid=one.tid,
            comm=one.comm,
            stop=one.stop,
            time_ns=one.time_ns,
            values=one.values,
            labels=builder.labels(one.labels),
        )
    return builder.take()


def no_samples() -> Samples:
    """Samples of a profile that has none."""
    return _NO_SAMPLES


_NO_SAMPLES = samples_of(())
