"""What ebprof itself takes while it watches the whole machine at 99 Hz, beside perf.

The machine runs the demo, redis under load and a compiler meanwhile. A short and a long run
tell what starting and finishing cost from what each second of sampling costs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from bench.run import Cost, Profiled, ebprof, print_bars, print_table, ratio, run
from bench.workloads import WORKLOADS

FREQUENCY = 99
LOAD = ("demo", "redis", "clang-19")
SHORT_SECONDS = 2.0
CORE_SHARE_BAR = 0.01
RSS_BAR = 120e6

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Overhead:
    """A tool's CPU seconds in a short and a long run, and its peak memory in bytes."""

    short_cpu_seconds: float
    long_cpu_seconds: float
    max_rss_bytes: float

    def share(self, seconds: float) -> float:
        """Share of one core while sampling, the long run being of `seconds`."""
        return (self.long_cpu_seconds - self.short_cpu_seconds) / (seconds - SHORT_SECONDS)


def main() -> None:
    """Measure and print."""
    seconds = _options().seconds
    perf_short, perf_long = (under_load(with_perf, time) for time in (SHORT_SECONDS, seconds))
    our_short, our_long = (under_load(with_ebprof, time) for time in (SHORT_SECONDS, seconds))
    theirs = Overhead(perf_short.cpu_seconds, perf_long.cpu_seconds, perf_long.max_rss_bytes)
    report(our_overhead(our_short, our_long), theirs, our_long, seconds)


def under_load(measure: Callable[[float], Result], seconds: float) -> Result:
    """Measure while the machine is busy; the load is started anew for each measurement."""
    with ExitStack() as stack:
        for name in LOAD:
            stack.enter_context(WORKLOADS[name]())
        return measure(seconds)


def with_ebprof(seconds: float) -> Profiled:
    """`ebprof profile` of all CPUs, to folded stacks."""
    return ebprof("-a", "-F", FREQUENCY, "-d", seconds, "-e", "cpu-clock")


def with_perf(seconds: float) -> Cost:
    """`perf record` of all CPUs; reading it with `perf script` is not counted."""
    with tempfile.TemporaryDirectory() as directory:
        graph = ["-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "--call-graph", "dwarf"]
        command = ["perf", "record", "-a", *graph, "-o", f"{directory}/perf.data"]
        return run([*command, "--", "sleep", str(seconds)])


def our_overhead(short: Profiled, long: Profiled) -> Overhead:
    """From what ebprof says of itself."""
    short_tool, long_tool = short.stats["tool"], long.stats["tool"]
    rss = float(long_tool["max_rss_bytes"])
    return Overhead(float(short_tool["cpu_seconds"]), float(long_tool["cpu_seconds"]), rss)


def report(ours: Overhead, theirs: Overhead, long_run: Profiled, seconds: float) -> None:
    """Print shares, memory, ratios and bars."""
    share, their_share = ours.share(seconds), theirs.share(seconds)
    in_kernel = float(long_run.stats["bpf"]["run_seconds"]) / seconds
    long = ours.long_cpu_seconds, theirs.long_cpu_seconds
    mega = ours.max_rss_bytes / 1e6, theirs.max_rss_bytes / 1e6
    rows = [
        ["CPU while sampling, of one core", f"{share:.2%}", f"{their_share:.2%}"],
        ["CPU of the whole run, s", *(f"{value:.2f}" for value in long)],
        ["memory, MB", *(f"{value:.0f}" for value in mega)],
    ]
    ratios = [ratio(share, their_share), ratio(*long), ratio(*mega)]
    table = [[*row, text] for row, text in zip(rows, ratios, strict=True)]
    table.append(["in BPF, of one core", f"{in_kernel:.3%}", "-", "-"])
    table.append(["complete stacks", f"{long_run.complete_share:.2%}", "-", "-"])
    title = f"{seconds:g} s at {FREQUENCY} Hz on all CPUs"
    print_table(title, ["what", "ebprof", "perf record", "ratio"], table)
    print_bars(
        {
            f"at most {CORE_SHARE_BAR:.0%} of one core": share <= CORE_SHARE_BAR,
            f"at most {RSS_BAR / 1e6:.0f} MB": ours.max_rss_bytes <= RSS_BAR,
        }
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of sampling (20)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
