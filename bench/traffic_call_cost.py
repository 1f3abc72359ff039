"""What a call on a socket costs more while `ebprof traffic` watches, in nanoseconds.

`hooks` are empty programs on the same hooks, `programs` are ebprof's, and `timed` those while the
kernel times them, which it does one second of sixteen. The least of many batches counts: what
else the machine does only ever adds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median

from bench.run import print_bars, print_table
from bench.traffic_tools import (
    Tool,
    backend_name,
    compiled,
    empty_programs,
    nothing,
    programs,
    tcptop,
)

CALLS = 20_000
CONNECTIONS = (1, 256)
ADDED_BAR_NS = 50.0
MEANINGS = {
    "empty": "receive that finds nothing",
    "receive": "receive of 1 byte",
    "exchange": "send and receive of 1 byte",
}
CALLS_OF = {"empty": 1, "receive": 1, "exchange": 2}
ALONE = "alone"

Costs = dict[tuple[int, str], float]


def main() -> None:
    """Measure and print."""
    options = _options()
    program = compiled("socket_calls")
    backend = backend_name(options.backend)
    tools: dict[str, Tool] = {
        ALONE: nothing,
        "hooks": partial(empty_programs, backend),
        "programs": partial(programs, backend),
        "timed": partial(programs, backend, timed=True),
    }
    if options.tcptop:
        tools["tcptop"] = tcptop
    least: dict[str, Costs] = {}
    for _ in range(options.repeat):
        for name, tool in tools.items():
            with tool():
                now = measure(program, options.batches)
            before = least.get(name, now)
            least[name] = {call: min(before[call], now[call]) for call in now}
    report(least, backend)


def measure(program: Path, batches: int) -> Costs:
    """ns by number of connections and kind of call, the least of so many batches."""
    costs: Costs = {}
    for connections in CONNECTIONS:
        words = [program, connections, CALLS // connections, batches]
        done = subprocess.run([str(word) for word in words], check=True, capture_output=True)
        costs |= {(connections, call): ns for call, ns in json.loads(done.stdout).items()}
    return costs


def report(least: Mapping[str, Costs], backend: str) -> None:
    """Print what each adds, and the bar: beside tcptop to add less than it does."""
    alone = least[ALONE]
    added = {
        name: {key: ns - alone[key] for key, ns in costs.items()}
        for name, costs in least.items()
        if name != ALONE
    }
    rows = [
        [
            str(key[0]),
            MEANINGS[key[1]],
            f"{ns:.0f}",
            *(f"{one[key]:+.0f}" for one in added.values()),
        ]
        for key, ns in alone.items()
    ]
    print_table(f"{backend}: ns", ["connections", "what", *least], rows)
    ours, peer = added["programs"], added.get("tcptop")
    if peer:
        is_less = all(ours[key] < peer[key] for key in alone)
        middle = median(ours[key] / peer[key] for key in alone)
        print(f"programs to tcptop: {middle:.2f}x, the median of the rows")
        print_bars({"any call costs less than with tcptop": is_less})
    else:
        worst = max(ours[key] / CALLS_OF[key[1]] for key in alone)
        print_bars({f"at most {ADDED_BAR_NS:.0f} ns a call": worst <= ADDED_BAR_NS})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="rounds (5)")
    parser.add_argument("--backend", help="of ebprof (the one that it chooses)")
    parser.add_argument("--tcptop", action="store_true", help="also bcc's tcptop (kprobes)")
    parser.add_argument("--batches", type=int, default=10, help="a round (10)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
