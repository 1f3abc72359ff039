"""Samples of several windows as those of one. Mostly there is one window, and nothing to do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ebprof.model import SAMPLE, Builder, Numbers, Samples, grouped, no_samples


class FoldedSamples:
    """Adds up windows, whose samples may be of different lineages."""

    def __init__(self) -> None:
        self._only: Samples | None = None
        self._builder = Builder()
        self._parts: list[tuple[Numbers, NDArray[np.int64]]] = []

    def add(self, samples: Samples) -> None:
        """Add the samples of a window."""
        if self._only is None and not self._parts:
            self._only = samples
            return
        if self._only is not None:
            self._add(self._only)
            self._only = None
        self._add(samples)

    def total(self, slice_ns: int) -> Samples:
        """All samples. slice_ns: length of the slices that they are in by now, 0 for none."""
        if self._only is not None or not self._parts:
            return self._only or no_samples()
        rows = np.concatenate([part for part, _ in self._parts])
        counts = np.concatenate([count for _, count in self._parts])
        if slice_ns:
            rows["time_ns"] -= rows["time_ns"] % slice_ns
        groups = grouped(*(rows[name] for name in SAMPLE.names or ()))
        self._builder.add_rows(rows[groups.first], groups.sums(counts))
        return self._builder.take()

    def _add(self, samples: Samples) -> None:
        """By numbers of the builder in place of the tables' own."""
        tables, rows = samples.tables, samples.rows.copy()
        number = self._builder.string
        for name in ("comm", "stop"):
            rows[name] = _renumbered(rows[name], lambda one: number(tables.strings[one]))
        labels = tables.label_values
        rows["labels"] = _renumbered(rows["labels"], lambda one: self._builder.labels(labels[one]))
        locations = tables.location_values
        of_location = _renumbered(
            np.arange(len(locations)), lambda one: self._builder.location(locations[one])
        )
        stacks = tables.stacks
        rows["stack"] = _renumbered(
            rows["stack"], lambda one: self._builder.stack(of_location[stacks[one]].tolist())
        )
        self._parts.append((rows, samples.counts))


def _renumbered(numbers: Numbers, find: Callable[[int], int]) -> NDArray[np.int64]:
    """Other numbers for some; find: the other one."""
    distinct, places = np.unique(numbers, return_inverse=True)
    return np.array([find(one) for one in distinct.tolist()], np.int64)[places.reshape(-1)]
