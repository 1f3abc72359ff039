"""What `ebprof traffic` takes from those it watches: throughput with it and without, by turns.

With --parts also what it consists of: `hooks` are empty programs on the same hooks (what the kernel
takes to call them), `programs` are ebprof's without its process.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial

from bench.paired import Run, Spread, cpu_ratio, runs_by_tool, throughput_ratio
from bench.run import print_bars, print_table
from bench.traffic_loads import LOADS
from bench.traffic_tools import (
    Tool,
    backend_name,
    ebprof,
    empty_programs,
    nothing,
    programs,
    tcptop,
)

LOSS_BAR = 0.01
ALONE, WHOLE = "alone", "ebprof"

Runs = Mapping[str, Sequence[Run]]


def main() -> None:
    """Measure and print."""
    options = _options()
    backend = backend_name(options.backend)
    tools = _tools(backend, options)
    measured = {
        name: under_load(name, tools, options.pairs, options.seconds) for name in options.loads
    }
    report(measured, backend)


def under_load(name: str, tools: Mapping[str, Tool], pairs: int, seconds: float) -> Runs:
    """Runs by tool under one load."""
    with LOADS[name]() as measure:
        measure(seconds)
        return runs_by_tool(tools, partial(measure, seconds), pairs)


def report(measured: Mapping[str, Runs], backend: str) -> None:
    """Print ratios with where their medians lie, and bars."""
    rows, bars = [], {}
    for load, runs in measured.items():
        alone = runs[ALONE]
        for tool, watched in runs.items():
            if tool != ALONE:
                throughput, cpu = throughput_ratio(watched, alone), cpu_ratio(watched, alone)
                rows.append([load, tool, *_cells(throughput), *_cells(cpu)])
        bars[load] = throughput_ratio(runs[WHOLE], alone).median >= 1 - LOSS_BAR
    columns = ["load", "with", "throughput", "95 %", "CPU a unit", "95 %"]
    print_table(f"{backend}: ratio to none, median of pairs", columns, rows)
    print(f"loses at most {LOSS_BAR:.0%} of throughput, by load:")
    print_bars(bars)


def _cells(ratios: Spread) -> list[str]:
    return [f"{ratios.median:.3f}", f"{ratios.low:.3f}-{ratios.high:.3f}"]


def _tools(backend: str, options: argparse.Namespace) -> dict[str, Tool]:
    tools: dict[str, Tool] = {ALONE: nothing}
    if options.parts:
        tools["hooks"] = partial(empty_programs, backend)
        tools["programs"] = partial(programs, backend)
    tools[WHOLE] = partial(ebprof, backend)
    if options.tcptop:
        tools["tcptop"] = tcptop
    return tools


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("loads", nargs="*", metavar="LOAD", help=f"of {', '.join(LOADS)} (all)")
    parser.add_argument("--pairs", type=int, default=20, help="of runs, with and without (20)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each run (1.5)")
    parser.add_argument("--parts", action="store_true", help="also what the cost consists of")
    parser.add_argument("--backend", help="of ebprof (the one that it chooses)")
    parser.add_argument("--tcptop", action="store_true", help="also bcc's tcptop (kprobes)")
    options = parser.parse_args()
    options.loads = options.loads or list(LOADS)
    return options


if __name__ == "__main__":
    main()
