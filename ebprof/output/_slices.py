"""How much was sampled when, of a profile in slices of time, and where that changed most."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebprof import remote
from ebprof.durations import written
from ebprof.model import NONE, Profile, sums
from ebprof.output import _window
from ebprof.output._measure import measure
from ebprof.output._text import amount

MOST_POINTS = 240
SIGMAS = 5
"""Of the difference between two windows: of all pairs of windows one may differ by chance."""
_LEAST_RATIO = 1.5
_CELLS = 60
_FEW_CELLS = 8
# As many as `sparkline` has, for those who cannot show its blocks.
_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.:-=+*#"


@dataclass(frozen=True, slots=True)
class Load:
    """Samples over time. counts: int64[n], of parts of step_ns each, which are so many slices;
    at most MOST_POINTS. end_ns: where the run ends, within the last part.
    """

    step_ns: int
    slices: int
    counts: NDArray[np.int64]
    end_ns: int


@dataclass(frozen=True, slots=True)
class Jump:
    """Two windows, as long as each other, between which the load changed most: from start_ns to
    at_ns, and from there to stop_ns. before, after: samples a slice in them.
    """

    start_ns: int
    at_ns: int
    stop_ns: int
    before: float
    after: float


def load_of(profile: Profile) -> Load | None:
    """The load of a profile; None where nothing says when samples were taken, or all in a slice."""
    times = profile.samples.rows["time_ns"]
    is_timed = times != NONE
    if not profile.slice_ns or not is_timed.any():
        return None
    times = times[is_timed].astype(np.int64)
    end = max(profile.duration_ns, int(times.max()) + 1)
    slices = -(-end // profile.slice_ns)
    if slices < 2:
        return None
    each = -(-slices // MOST_POINTS)
    step = each * profile.slice_ns
    counts = sums(times // step, profile.samples.counts[is_timed], -(-end // step))
    return Load(step, each, counts, end)


def jump_of(load: Load) -> Jump | None:
    """Where the load changed most, and for longest; None where it did not, but by chance."""
    whole = load.counts[: load.end_ns // load.step_ns]
    upto = np.append(0, np.cumsum(whole))
    best: tuple[float, int, int] = (SIGMAS, 0, 0)
    for length in range(1, len(whole) // 2 + 1):
        parts = upto[length:] - upto[:-length]
        before, after = parts[:-length], parts[length:]
        sigmas = abs(after - before) / np.sqrt(np.maximum(before + after, 1))
        place = int(sigmas.argmax())
        best = max(best, (float(sigmas[place]), length, place), key=lambda one: one[0])
    _, length, place = best
    if not length:
        return None
    edges = upto[[place, place + length, place + 2 * length]]
    first, second = (float(one) / (length * load.slices) for one in np.diff(edges))
    if max(first, second) < _LEAST_RATIO * min(first, second):
        return None
    start, at, stop = (load.step_ns * (place + one * length) for one in range(3))
    return Jump(start, at, stop, first, second)


def line(profile: Profile, width: int, encoding: str) -> str:
    """The load as a row of blocks, with its length and the most of it; empty without times.

    encoding: of what it is written to: blocks are ASCII where it has none.
    """
    # It needs rich, which choosing a format shall not load.
    from ebprof.screen.text import sparkline

    load = load_of(profile)
    if load is None:
        return ""
    most = int(load.counts.max())
    is_sampled = profile.is_sampled
    text = amount(most, "sample") if is_sampled else measure(profile.subject).text(most)
    told = f"{_length(load.end_ns)}, at most {text} in {_length(load.step_ns)}"
    points = len(load.counts)
    cells = min(points, _CELLS, max(_FEW_CELLS, width - len(told) - 2))
    starts = np.arange(cells) * points // cells
    blocks = sparkline(np.maximum.reduceat(load.counts, starts).tolist(), cells, cells)
    return f"{_shown(blocks, encoding)}  {told}"


def proposal(profile: Profile, path: str) -> str:
    """What to compare of a profile that was read from a path, as a line; empty for nothing."""
    load = load_of(profile) if profile.is_sampled and not remote.is_url(path) else None
    jump = jump_of(load) if load else None
    if jump is None:
        return ""
    file, window = _window.split(path)
    begin = _window.begin_ns(window, profile.slice_ns) if window else 0
    start, at, stop = (written(begin + one) for one in (jump.start_ns, jump.at_ns, jump.stop_ns))
    name = "FILE" if file == "-" else file
    words = (shlex.quote(f"{name}@{start}-{at}"), shlex.quote(f"{name}@{at}-{stop}"))
    return (
        f"largest jump at {at} ({_mean(jump.before)} to {_mean(jump.after)} samples a slice):"
        f" ebprof diff {' '.join(words)}"
    )


def _length(time_ns: int) -> str:
    seconds = time_ns / 1e9
    return f"{seconds:.3g}s" if seconds < 1000 else f"{seconds:,.0f}s"


def _mean(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _shown(blocks: str, encoding: str) -> str:
    try:
        blocks.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return blocks.translate(str.maketrans(_BLOCKS, _ASCII))
    return blocks
