"""ebprof against `perf record --call-graph dwarf` and `perf script`, on the same work.

Both sample the same process by turns. In perf's favour, folding its text is not counted, and it is
spared looking for inlined calls, which can take it a minute and which ebprof does show.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.run import Target, ebprof, print_bars, print_table, ratio, run
from bench.workloads import WORKLOADS
from tests import perf

FREQUENCY = 99
PERF_STACK_BYTES = 8192  # perf's default
COMPLETE_BAR = 0.995
ROOTS = ("_start", "clone", "clone3", "__clone", "__clone3")
BELOW_ROOTS = ("__libc_start_main", "start_thread")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One tool's run: seconds beyond the sampling itself, CPU, bytes written, complete share."""

    wait_seconds: float
    cpu_seconds: float
    bytes_written: int
    complete: float


def main() -> None:
    """Measure the chosen workloads and print both tools' medians side by side."""
    options = _options()
    rows: list[list[str]] = []
    worst = 1.0
    for name in options.workload or WORKLOADS:
        ours, theirs = [], []
        for _ in range(options.repeat):
            with WORKLOADS[name]() as target:
                ours.append(with_ebprof(target, options.seconds))
                theirs.append(with_perf(target, options.seconds))
        our, their = middle(ours), middle(theirs)
        worst = min(worst, our.complete)
        rows += compare(name, our, their)
    columns = ["workload", "measure", "ebprof", "perf dwarf", "ratio"]
    print_table(f"{options.seconds:g} s at {FREQUENCY} Hz", columns, rows)
    print_bars({f"complete stacks at least {COMPLETE_BAR:.1%}": worst >= COMPLETE_BAR})


def with_ebprof(target: Target, seconds: float) -> Outcome:
    """Profile with ebprof, to folded stacks."""
    done = ebprof("-p", target.pid, "-F", FREQUENCY, "-d", seconds, "-e", "cpu-clock")
    cost = done.cost
    return Outcome(
        cost.wall_seconds - seconds, cost.cpu_seconds, done.output_bytes, done.complete_share
    )


def with_perf(target: Target, seconds: float) -> Outcome:
    """Profile with perf, to the text of `perf script`."""
    with tempfile.TemporaryDirectory() as directory:
        data, text = Path(directory) / "perf.data", Path(directory) / "perf.txt"
        graph = [
            "-e",
            "cpu-clock",
            "-F",
            str(FREQUENCY),
            "--call-graph",
            f"dwarf,{PERF_STACK_BYTES}",
        ]
        record = ["perf", "record", "-q", "-o", str(data), *graph, "-p", str(target.pid)]
        recorded = run([*record, "--", "sleep", str(seconds)])
        script = f"perf script --no-inline -i {data} -F {perf.FIELDS} > {text}"
        scripted = run(["sh", "-c", script])
        return Outcome(
            recorded.wall_seconds - seconds + scripted.wall_seconds,
            recorded.cpu_seconds + scripted.cpu_seconds,
            data.stat().st_size + text.stat().st_size,
            complete_share(perf.fold(text.read_text())),
        )


def complete_share(stacks: Counter[str]) -> float:
    """Samples whose stack begins where threads and processes do; names or what lies above tell."""
    complete = sum(count for stack, count in stacks.items() if reaches_root(stack.split(";")[1:]))
    return complete / max(1, stacks.total())


def reaches_root(frames: Sequence[str]) -> bool:
    """True when the outermost frame is a start routine (in a stripped program: calls libc's)."""
    if not frames:
        return False
    above = frames[1] if len(frames) > 1 else ""
    return frames[0] in ROOTS or above.startswith(BELOW_ROOTS)


def middle(outcomes: list[Outcome]) -> Outcome:
    """The median of each measure."""

    def of(measure: Callable[[Outcome], float]) -> float:
        return median(measure(outcome) for outcome in outcomes)

    return Outcome(
        of(lambda o: o.wait_seconds),
        of(lambda o: o.cpu_seconds),
        int(of(lambda o: o.bytes_written)),
        of(lambda o: o.complete),
    )


def compare(name: str, our: Outcome, their: Outcome) -> list[list[str]]:
    """Table rows for one workload."""
    measures: list[tuple[str, float, float, str]] = [
        ("wait for the text, s", our.wait_seconds, their.wait_seconds, "{:.2f}"),
        ("CPU, s", our.cpu_seconds, their.cpu_seconds, "{:.2f}"),
        ("written, kB", our.bytes_written / 1e3, their.bytes_written / 1e3, "{:,.0f}"),
        ("complete stacks", our.complete, their.complete, "{:.2%}"),
    ]
    return [
        [name, measure, form.format(ours), form.format(theirs), ratio(ours, theirs)]
        for measure, ours, theirs, form in measures
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="*", help=f"of: {', '.join(WORKLOADS)} (all)")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (5)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the median (3)")
    options = parser.parse_args()
    unknown = set(options.workload) - set(WORKLOADS)
    if unknown:
        parser.error(f"no such workload: {', '.join(unknown)}")
    return options


if __name__ == "__main__":
    main()
