"""The samples of a run themselves, with addresses and lines: what a window is saved from."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ebprof.model import SAMPLE, Numbers, Profile, Samples, grouped
from ebprof.sampling.fold import FoldedSamples
from ebprof.sampling.source import Sampled
from ebprof.top.table import WINDOW_S

_LEAST_MERGE = 1 << 16


@dataclass(slots=True)
class _Lineage:
    """Samples whose numbers mean the same. last: of these, whose tables have all numbers."""

    last: Samples
    rows: list[Numbers] = field(default_factory=list)
    counts: list[NDArray[np.int64]] = field(default_factory=list)
    size: int = 0
    merged: int = 0

    def add(self, samples: Samples) -> None:
        self.last = samples
        self.rows.append(samples.rows)
        self.counts.append(samples.counts)
        self.size += len(samples)
        if self.size > max(_LEAST_MERGE, 2 * self.merged):
            self._merge()

    def all(self) -> Samples:
        self._merge()
        rows, counts = self.rows[0], self.counts[0]
        return Samples(self.last.tables, rows, counts, np.empty((len(rows), 0), np.int64))

    def _merge(self) -> None:
        rows, counts = np.concatenate(self.rows), np.concatenate(self.counts)
        groups = grouped(*(rows[name] for name in SAMPLE.names or ()))
        self.rows, self.counts = [rows[groups.first]], [groups.sums(counts)]
        self.size = self.merged = len(self.rows[0])


class KeptSamples:
    """What came in the last seconds, and all that came.

    While it is held, both stay as they are; what comes meanwhile is added afterwards.
    """

    def __init__(self) -> None:
        self._all: list[_Lineage] = []
        self._recent: deque[tuple[Samples, float]] = deque()
        self._seconds = 0.0
        self._end_ns = 0
        self._meanwhile: KeptSamples | None = None

    def add(self, samples: Samples, seconds: float) -> None:
        """Take in what was sampled in so many seconds, until now."""
        if self._meanwhile is not None:
            self._meanwhile.add(samples, seconds)
            return
        self._end_ns = time.time_ns()
        self._seconds += seconds
        self._recent.append((samples, seconds))
        self._forget_old()
        _extend(self._all, samples)

    def hold(self, hold: bool) -> None:
        """Let all stay as it is (True), or go on with what came meanwhile."""
        if hold:
            self._meanwhile = self._meanwhile or KeptSamples()
        elif self._meanwhile is not None:
            later, self._meanwhile = self._meanwhile, None
            self._end_ns = later._end_ns or self._end_ns
            self._seconds += later._seconds
            self._recent += later._recent
            self._forget_old()
            for lineage in later._all:
                _extend(self._all, lineage.all())

    def profile(self, sampled: Sampled, comments: tuple[str, ...], *, whole: bool) -> Profile:
        """The last WINDOW_S seconds, or the whole run, as a profile."""
        folded = FoldedSamples()
        for part in self._parts(whole):
            folded.add(part)
        seconds = self._seconds if whole else sum(length for _, length in self._recent)
        duration_ns = round(seconds * 1e9)
        start_ns = self._end_ns - duration_ns
        profile = sampled.profile(folded.total(0).most_first(), start_ns, duration_ns)
        return replace(profile, comments=comments)

    def _parts(self, whole: bool) -> list[Samples]:
        if whole:
            return [one.all() for one in self._all]
        lineages: list[_Lineage] = []
        for samples, _ in self._recent:
            _extend(lineages, samples)
        return [one.all() for one in lineages]

    def _forget_old(self) -> None:
        length = sum(seconds for _, seconds in self._recent)
        while len(self._recent) > 1 and length - self._recent[0][1] >= WINDOW_S:
            length -= self._recent.popleft()[1]


def _extend(lineages: list[_Lineage], samples: Samples) -> None:
    """Add samples to those of their lineage, which is the last one or a new one."""
    if not lineages or lineages[-1].last.tables.lineage is not samples.tables.lineage:
        lineages.append(_Lineage(samples))
    lineages[-1].add(samples)
