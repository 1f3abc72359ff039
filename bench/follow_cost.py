"""What profiling one process costs a machine on which others fork all the time.

2,000 processes sleep, and two more create processes as fast as they can. Beside them nothing runs,
or `ebprof profile -p` of a process that sleeps, or `perf record -p` of it, or `perf record -a`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.paired import Run, cpu_ratio, runs_by_tool, throughput_ratio
from bench.run import print_bars, print_table
from bench.traffic_tools import Tool, compiled, nothing

ALONE = "alone"
EBPROF = "ebprof -p"
IDLE = 2_000
FORKERS = 2
CPU_BAR = 1.05
_START_S = 2.0


def main() -> None:
    """Measure and print."""
    options = _options()
    program = compiled("forks")
    with subprocess.Popen(["sleep", "infinity"]) as target:
        pid = str(target.pid)
        tools: dict[str, Tool] = {
            ALONE: nothing,
            EBPROF: partial(beside, [sys.executable, "-m", "ebprof", "profile", "-p", pid]),
            "perf -p": partial(beside, ["perf", "record", "-q", "-F", "99", "-p", pid]),
            "perf -a": partial(beside, ["perf", "record", "-q", "-F", "99", "-a"]),
        }
        runs = runs_by_tool(tools, partial(measure, program, options.seconds), options.pairs)
        target.kill()
    report(runs)


def measure(program: Path, seconds: float) -> Run:
    """Processes a second of both forkers, and CPU seconds a process."""
    idle = [IDLE, *[0] * (FORKERS - 1)]
    started = [
        subprocess.Popen([program, str(seconds), str(count)], stdout=subprocess.PIPE)
        for count in idle
    ]
    results = [json.loads(one.communicate()[0]) for one in started]
    count = sum(one["count"] for one in results)
    return Run(count / seconds, sum(one["cpu_seconds"] for one in results) / count)


@contextmanager
def beside(command: Sequence[str]) -> Iterator[None]:
    """A profiler that runs meanwhile; what it writes is dropped."""
    with tempfile.TemporaryDirectory() as directory:
        words = [*command, "-o", f"{directory}/out"]
        tool = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(_START_S)
        try:
            yield
        finally:
            tool.terminate()
            tool.wait()


def report(runs: dict[str, list[Run]]) -> None:
    """Print ratios to running alone, and the bar."""
    rows, alone = [], runs[ALONE]
    for name, some in runs.items():
        throughput, cpu = throughput_ratio(some, alone), cpu_ratio(some, alone)
        rows.append(
            [
                name,
                f"{sum(one.throughput for one in some) / len(some):,.0f}",
                f"{throughput.median:.3f} ({throughput.low:.3f} to {throughput.high:.3f})",
                f"{cpu.median:.3f} ({cpu.low:.3f} to {cpu.high:.3f})",
            ]
        )
    columns = ["beside", "processes/s", "ratio of processes/s", "ratio of CPU time a process"]
    print_table(f"{IDLE:,} idle processes, {FORKERS} that fork", columns, rows)
    ours = cpu_ratio(runs[EBPROF], alone)
    print_bars({f"CPU time a process at most {CPU_BAR}x": ours.median <= CPU_BAR})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a run (1)")
    parser.add_argument("--pairs", type=int, default=12, help="runs beside each tool (12)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
