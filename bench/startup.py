"""How long one waits for ebprof: from the command to sampling, and from the last sample to text.

`cold` has an empty cache, `warm` what the run before it left there. perf's figures beside it are
the wall time of `perf record` around nothing, and of `perf script` on as many samples.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from bench.run import Profiled, Target, Workload, ebprof, print_bars, print_table, ratio, run
from bench.workloads import WORKLOADS, program
from tests import perf

STACKS = 10_000
STACKS_FREQUENCY = 4999
STACKS_SECONDS = 3
READY_BAR = 0.5
READY_CLANG_BAR = 1.0
FINISH_BAR = 0.5


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds to sampling: with an empty cache, with a filled one, and perf's."""

    cold: float
    warm: float
    perf: float


@dataclass(frozen=True, slots=True)
class Finish:
    """Seconds from the last sample to folded text, perf's, and how many stacks were distinct."""

    ours: float
    perf: float
    stacks: int


def main() -> None:
    """Measure and print."""
    options = _options()
    rounds = range(options.repeat)
    small = middle_start(start(program("split")) for _ in rounds)
    clang = middle_start(start(WORKLOADS["clang-19"]) for _ in rounds)
    many = [finish() for _ in rounds]
    report(small, clang, many)


def start(workload: Workload) -> Start:
    """One process, profiled twice with a cache of its own, then by perf."""
    with workload() as target, tempfile.TemporaryDirectory() as cache:
        cold, warm = (_short_run(target, cache) for _ in range(2))
        nothing = run(
            ["perf", "record", *_perf_options(target, 99), "-o", "/dev/null", "--", "true"]
        )
        return Start(_ready(cold), _ready(warm), nothing.wall_seconds)


def finish() -> Finish:
    """A program with 65,536 distinct stacks, sampled fast enough to see 10,000 and more."""
    with program("many_stacks")() as target, tempfile.TemporaryDirectory() as directory:
        options = ["-F", STACKS_FREQUENCY, "-d", STACKS_SECONDS, "-e", "cpu-clock"]
        ours = ebprof("-p", target.pid, *options)
        data = f"{directory}/perf.data"
        record = ["perf", "record", *_perf_options(target, STACKS_FREQUENCY), "-o", data]
        run([*record, "--", "sleep", str(STACKS_SECONDS)])
        script = run(["perf", "script", "--no-inline", "-i", data, "-F", perf.FIELDS])
    finished = float(ours.stats["tool"]["finish_seconds"])
    return Finish(finished, script.wall_seconds, int(ours.stats["stacks"]["unique"]))


def middle_start(starts: Iterable[Start]) -> Start:
    """The median of each measure."""
    found = list(starts)
    return Start(
        median(s.cold for s in found), median(s.warm for s in found), median(s.perf for s in found)
    )


def report(small: Start, clang: Start, many: list[Finish]) -> None:
    """Print times, ratios and bars."""
    ours, theirs = median(f.ours for f in many), median(f.perf for f in many)
    stacks = min(f.stacks for f in many)
    rows = [
        _row("ready: small program, cold", small.cold, small.perf),
        _row("ready: small program, warm", small.warm, small.perf),
        _row("ready: clang-19, cold", clang.cold, clang.perf),
        _row("ready: clang-19, warm", clang.warm, clang.perf),
        _row(f"finish: {stacks:,} distinct stacks", ours, theirs),
    ]
    print_table("seconds", ["what", "ebprof", "perf dwarf", "ratio"], rows)
    print_bars(
        {
            f"ready in {READY_BAR} s, cold": small.cold <= READY_BAR,
            f"ready for clang-19 in {READY_CLANG_BAR} s, cold": clang.cold <= READY_CLANG_BAR,
            f"{STACKS:,} stacks in {FINISH_BAR} s": stacks >= STACKS and ours <= FINISH_BAR,
        }
    )


def _row(what: str, ours: float, theirs: float) -> list[str]:
    return [what, f"{ours:.3f}", f"{theirs:.3f}", ratio(ours, theirs)]


def _short_run(target: Target, cache: str) -> Profiled:
    options = ["-p", target.pid, "-d", 1, "-e", "cpu-clock"]
    return ebprof(*options, environment={"XDG_CACHE_HOME": cache})


def _ready(done: Profiled) -> float:
    return float(done.stats["tool"]["ready_seconds"])


def _perf_options(target: Target, frequency: int) -> list[str]:
    graph = ["-q", "-e", "cpu-clock", "--call-graph", "dwarf", "-F", str(frequency)]
    return [*graph, "-p", str(target.pid)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the median (3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
