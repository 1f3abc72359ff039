"""Throughput beside a tool: short runs without and with it by turns, and what they tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.traffic_tools import Tool

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Run:
    """What a short run came to: units of work a second, and CPU seconds a unit."""

    throughput: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of many ratios, and where it lies with a probability of 95 %."""

    median: float
    low: float
    high: float


def runs_by_tool(
    tools: Mapping[str, Tool], measure: Callable[[], Run], pairs: int
) -> dict[str, list[Run]]:
    """Each tool's run in each of so many rounds.

    Every second round goes backwards, so that a machine that gets slower steadily is not held
    against any tool; the tool at the turn stays for both of its runs.
    """
    runs: dict[str, list[Run]] = {name: [] for name in tools}
    with ExitStack() as stack:
        current = ""
        for name in _turns(list(tools), pairs):
            if name != current:
                stack.close()
                stack.enter_context(tools[name]())
                current = name
            runs[name].append(measure())
    return runs


def throughput_ratio(watched: Iterable[Run], alone: Iterable[Run]) -> Spread:
    """Of throughput with a tool to throughput without, by pairs: 1 is nothing lost."""
    return spread(w.throughput / a.throughput for w, a in zip(watched, alone, strict=True))


def cpu_ratio(watched: Iterable[Run], alone: Iterable[Run]) -> Spread:
    """Of CPU time a unit with a tool to that without, by pairs: 1 is nothing added."""
    return spread(w.cpu_seconds / a.cpu_seconds for w, a in zip(watched, alone, strict=True))


def spread(values: Iterable[float]) -> Spread:
    """The median and its 95 % interval, by drawing anew from the values."""
    given: NDArray[np.float64] = np.fromiter(values, np.float64)
    drawn = np.random.default_rng(0).choice(given, (RESAMPLES, len(given)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return Spread(float(np.median(given)), float(low), float(high))


def _turns(names: list[str], pairs: int) -> Iterator[str]:
    for number in range(pairs):
        yield from names if number % 2 == 0 else reversed(names)
