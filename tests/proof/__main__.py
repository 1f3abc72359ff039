"""`python -m tests.proof`: every workload under every kernel, in one table. See docs/proof.md."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from tests.proof import report
from tests.proof.guest import measure_in
from tests.proof.kept import Kept
from tests.proof.measure import measure
from tests.proof.workload import Row, Workload
from tests.proof.workloads import all_workloads

HOST = "host"


def main(words: list[str]) -> int:
    """Measure, print; 1 when a row is below its bar."""
    arguments = _arguments(words)
    chosen = _chosen(arguments.workload)
    if arguments.json:
        return _print_rows(chosen, arguments.slowness)
    rows: list[Row] = []
    for kernel in arguments.kernel or [HOST]:
        rows += _rows_of(kernel, chosen, arguments.again)
    print("", *report.table(rows), sep="\n")
    missed = list(report.misses(rows))
    print("", *(missed or ["every bar is met"]), sep="\n")
    return 1 if missed else 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.proof",
        description="Profile every workload and compare each stack with the truth about it.",
    )
    parser.add_argument("workload", nargs="*", help="only those whose name begins like this")
    parser.add_argument(
        "--kernel",
        action="append",
        metavar="SERIES",
        help=f"as 6.1, in an emulated machine, or {HOST}; may be given more than once ({HOST})",
    )
    parser.add_argument(
        "--again", action="store_true", help="measure anew also what an earlier run has measured"
    )
    parser.add_argument("--json", action="store_true", help="print rows as JSON, of this kernel")
    parser.add_argument(
        "--slowness",
        type=float,
        default=1,
        metavar="TIMES",
        help="with --json: how much slower than others this machine is; commands are sampled so "
        "much less often",
    )
    return parser.parse_args(words)


def _chosen(beginnings: list[str]) -> list[Workload]:
    chosen = [one for one in all_workloads() if one.name.startswith(tuple(beginnings) or "")]
    if not chosen:
        raise SystemExit(
            f"no such workload; there are: {', '.join(w.name for w in all_workloads())}"
        )
    return chosen


def _print_rows(chosen: list[Workload], slowness: float) -> int:
    for workload in chosen:
        print(json.dumps(asdict(measure(workload, slowness))), flush=True)
    return 0


def _rows_of(kernel: str, chosen: list[Workload], again: bool) -> list[Row]:
    """Rows of a kernel, those that an earlier run measured included."""
    if kernel != HOST:
        chosen = [workload for workload in chosen if workload.everywhere]
    kept = Kept(kernel)
    rows = {} if again else {w.name: row for w in chosen if (row := kept.find(w.name))}
    left = [workload for workload in chosen if workload.name not in rows]
    measured = map(measure, left) if kernel == HOST else measure_in(kernel, left)
    for number, row in enumerate(measured, 1):
        _show(number, len(left), row)
        if not (row.failure or row.absent):
            kept.keep(row)
        rows[row.workload] = row
    return [rows[workload.name] for workload in chosen]


def _show(number: int, total: int, row: Row) -> None:
    text = row.missed or row.absent or "ok"
    print(f"{number}/{total} {row.workload} ({row.kernel}): {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
