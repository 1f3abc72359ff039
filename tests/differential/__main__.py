"""Compares our unwind rows with readelf's, pc by pc, for every program and library of a machine.

    python -m tests.differential                  # all ELF files below /usr/bin and /usr/lib
    python -m tests.differential --sample 50      # every n-th of them, so that it is 50
    python -m tests.differential /opt/app         # other places

Prints a table of agreement by directory, then what is behind every column that is no agreement.
What was compared once is kept in build/differential and not compared again until the file, the
compiler or the comparison changes, so that a run that was interrupted goes on where it was. Exits
with 1 when an address differs.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.differential import files, report
from tests.differential.results import Result, Results

PLACES = ("/usr/bin", "/usr/lib")


def main(arguments: list[str]) -> int:
    """Compare, print; 1 when something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential")
    parser.add_argument("places", nargs="*", default=PLACES, help="default: /usr/bin /usr/lib")
    parser.add_argument("--sample", type=int, metavar="N", help="so many files, evenly spread")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="default: one a CPU")
    options = parser.parse_args(arguments)
    paths = files.elf_files(map(Path, options.places))
    if options.sample:
        paths = files.spread(paths, options.sample)
    results = compare_all(paths, options.jobs)
    print(report.table(results))
    return 1 if any(result.differ for result in results) else 0


def compare_all(paths: list[Path], jobs: int) -> list[Result]:
    """Results of all files, those that are known from before included."""
    known = Results()
    results = {path: known.find(path) for path in paths}
    # The largest first: otherwise the last one would be waited for.
    left = sorted(
        (path for path in paths if results[path] is None), key=lambda path: -path.stat().st_size
    )
    with ProcessPoolExecutor(jobs) as pool:
        for number, result in enumerate(pool.map(Result.of, left), 1):
            known.keep(result)
            results[Path(result.path)] = result
            _show_progress(number, len(left), result)
    return [result for result in results.values() if result is not None]


def _show_progress(number: int, total: int, result: Result) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{number}/{total} {result.path}", end="", file=sys.stderr, flush=True)
        if number == total:
            print("\r\x1b[2K", end="", file=sys.stderr)
    elif number % 100 == 0 or number == total:
        print(f"{number}/{total} files", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
