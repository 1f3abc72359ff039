"""What an unwind table costs: time to compile and to pack it, bytes a row.

`readelf --debug-dump=frames-interp` beside it works the same rows out, and prints them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from bench.run import print_bars, print_table, ratio, run
from ebprof.elf import ElfImage
from ebprof.unwind.compile import UnwindRows, compile_rows, frame_sections, pack, plan

LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
DEFAULT = (
    "libLLVM.so.19.1",
    "libclang-cpp.so.19.1",
    "libcrypto.so.3",
    "libstdc++.so.6",
    "libc.so.6",
)
COMPILE_BAR = 50e-9  # of 1.2 million rows: 60 ms
PACK_BAR = 8.5e-9  # 10 ms
SIZE_BAR = 4.5
LARGE = 100_000
"""Rows from which on the bars count: below, fixed costs weigh more than rows."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One file: rows, rules, bytes of its table; medians in seconds."""

    name: str
    rows: int
    rules: int
    bytes: int
    compile: float
    pack: float
    readelf: float


def main() -> None:
    """Measure and print."""
    options = _options()
    paths = options.files or [LIBRARIES / name for name in DEFAULT]
    report([measure(path, options.repeat) for path in paths if path.exists()])


def measure(path: Path, repeat: int) -> Figures:
    """Compile and pack a file, and have readelf read it."""
    with path.open("rb", buffering=0) as file:
        section = next(iter(frame_sections(ElfImage(file))), None)
    if section is None:
        raise SystemExit(f"{path} has no unwind information")
    rows = compile_rows(section)
    return Figures(
        name=path.name,
        rows=len(rows.offsets),
        rules=len(rows.dictionary),
        bytes=pack_all(rows),
        compile=_median(lambda: compile_rows(section), repeat),
        pack=_median(lambda: pack_all(rows), repeat),
        readelf=run(["readelf", "-wN", "--debug-dump=frames-interp", str(path)]).wall_seconds,
    )


def pack_all(rows: UnwindRows) -> int:
    """Pack a whole table into memory that is thrown away; returns its size in bytes."""
    ids = np.arange(len(rows.dictionary), dtype=np.uint16)
    words = 0
    for segment in plan(rows):
        pack(rows, segment, ids, np.empty(int(segment["words"]), np.uint32))
        words += int(segment["words"])
    return 4 * words


def report(files: list[Figures]) -> None:
    """Print times, ratios and bars."""
    columns = ["file", "rows", "rules", "compile ms", "pack ms", "bytes/row", "readelf ms", "ratio"]
    print_table("unwind tables", columns, [_row(file) for file in files])
    large = [file for file in files if file.rows >= LARGE]
    print_bars(
        {
            "60 ms for 1.2 M rows": all(f.compile <= COMPILE_BAR * f.rows for f in large),
            "packed in 10 ms": all(f.pack <= PACK_BAR * f.rows for f in large),
            f"{SIZE_BAR} bytes a row": all(f.bytes <= SIZE_BAR * f.rows for f in large),
        }
    )


def _row(file: Figures) -> list[str]:
    times = [f"{1000 * file.compile:.1f}", f"{1000 * file.pack:.1f}"]
    size = f"{file.bytes / file.rows:.2f}"
    readelf = [f"{1000 * file.readelf:.0f}", ratio(file.compile + file.pack, file.readelf)]
    return [file.name, f"{file.rows:,}", str(file.rules), *times, size, *readelf]


def _median(work: Callable[[], object], repeat: int) -> float:
    return median(_seconds(work) for _ in range(repeat))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="ELF files (some large libraries)")
    parser.add_argument("--repeat", type=int, default=9, help="rounds, of which the median (9)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
