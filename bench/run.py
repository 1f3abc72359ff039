"""What the benchmarks share: running a tool and seeing what it cost, and printing the result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

BUILT = Path(__file__).parents[1] / "build" / "bench"


class Target(Protocol):
    """What a workload gives: the process to look at."""

    @property
    def pid(self) -> int:
        """Process ID, alive while the workload's context lasts."""


Workload = Callable[[], AbstractContextManager[Target]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: seconds of wall time and CPU, and the most memory it held in bytes."""

    wall_seconds: float
    cpu_seconds: float
    max_rss_bytes: int


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end, children included; its stdout is dropped.

    Raises RuntimeError with its stderr when it fails.
    """
    with tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, **(environment or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {errors.read().decode()}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


@dataclass(frozen=True, slots=True)
class Profiled:
    """One run of `ebprof profile`.

    stats: what `--stats` wrote; output_bytes: size of the folded stacks.
    """

    stats: dict[str, Any]
    cost: Cost
    output_bytes: int

    @property
    def complete_share(self) -> float:
        """Samples with user frames whose stack reached the outermost frame."""
        samples = self.stats["samples"]
        complete = int(self.stats["stacks"]["stop"].get("complete", 0))
        return complete / max(1, int(samples["total"]) - int(samples["kernel_only"]))


def ebprof(*options: object, environment: Mapping[str, str] | None = None) -> Profiled:
    """Run `ebprof profile` with options, to folded stacks in a file that is dropped."""
    with tempfile.TemporaryDirectory() as directory:
        stats, output = Path(directory) / "stats.json", Path(directory) / "out.folded"
        files = ["--stats", str(stats), "-f", "folded", "-o", str(output)]
        words = [sys.executable, "-m", "ebprof", "profile", "-q", *map(str, options), *files]
        cost = run(words, environment=environment)
        return Profiled(json.loads(stats.read_text()), cost, output.stat().st_size)


def ratio(ours: float, theirs: float) -> str:
    """`ours / theirs` as text."""
    return f"{ours / theirs:.2f}x" if theirs else "-"


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; the first column is left-aligned."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_bars(bars: Mapping[str, bool]) -> None:
    """One closing line: each bar, and whether this run met it."""
    words = [f"{name}: {'met' if met else 'NOT met'}" for name, met in bars.items()]
    print("bars: " + "; ".join(words))
