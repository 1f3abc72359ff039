"""Runs `ebprof profile` for the live tests and reads what it says; checks shares of samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

SECONDS = 2
FREQUENCY = 997
COMPLETE_SHARE = 0.995
SIGMAS = 4
SOME = 50
"""Samples that show that something was sampled: other work may leave it a tenth of a CPU."""
PATIENCE = int(os.environ.get("EBPROF_PATIENCE", "1"))
"""How many times slower than others this machine is."""
TIME_LIMIT = 60 * PATIENCE

Stack = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one run wrote: the profile, its statistics, and what it said."""

    output: str
    stats: dict[str, Any]
    stderr: str


@dataclass(frozen=True, slots=True)
class Profiled:
    """One run: folded stacks (comm first, then frames from the outermost on) and its statistics."""

    stacks: Counter[Stack]
    stats: dict[str, Any]
    stderr: str

    @property
    def total(self) -> int:
        """Samples in the folded stacks."""
        return self.stacks.total()

    @property
    def stops(self) -> dict[str, int]:
        """Samples by stop reason."""
        return {str(name): int(count) for name, count in self.stats["stacks"]["stop"].items()}

    @property
    def complete_share(self) -> float:
        """Share of the samples with a user stack that reached its outermost frame."""
        samples = self.stats["samples"]
        with_user = int(samples["total"]) - int(samples["kernel_only"])
        return self.stops.get("complete", 0) / with_user

    def count(self, holds: Callable[[Stack], bool]) -> int:
        """Samples whose stack fulfils a condition."""
        return sum(count for stack, count in self.stacks.items() if holds(stack))

    def count_of(self, function: str) -> int:
        """Samples with a function anywhere on the stack."""
        return self.count(lambda stack: function in stack[1:])

    def count_calls(self, *functions: str) -> int:
        """Samples with these functions on the stack, each called by the one before."""
        return self.count(lambda stack: has_calls(stack, functions))

    def count_in(self, comm: str, function: str) -> int:
        """Samples of threads of this name with the function on the stack."""
        return self.count(lambda stack: stack[0] == comm and function in stack[1:])

    def count_comm(self, comm: str) -> int:
        """Samples of threads of this name."""
        return self.count(lambda stack: stack[0] == comm)


def has_calls(stack: Stack, functions: tuple[str, ...]) -> bool:
    """Whether these functions are on a stack, each called by the one before."""
    places = len(functions)
    return any(stack[i : i + places] == functions for i in range(1, len(stack)))


def run(*words: object, module: str = "ebprof") -> subprocess.CompletedProcess[str]:
    """`ebprof WORDS...` as a user runs it; module: what stands for ebprof."""
    command = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT)


def profile(
    *options: object,
    seconds: float = SECONDS,
    frequency: int = FREQUENCY,
    module: str = "ebprof",
) -> Profiled:
    """Profile with options (a target, mostly); inlined calls are left out, as perf's are."""
    return _profile(["-d", seconds, "-F", frequency, "--no-inline", *options], module=module)


def profile_command(*command: object, options: tuple[object, ...] = ()) -> Profiled:
    """`ebprof profile -- COMMAND`, until the command ends."""
    return _profile(["-F", FREQUENCY, "--no-inline", *options], [*command])


def count_events(
    event: str, *options: object, command: tuple[object, ...] = (), module: str = "ebprof"
) -> Profiled:
    """`ebprof profile -e EVENT`, of a command until it ends."""
    return _profile(["--no-inline", *options], [*command], module, event)


def _profile(
    options: list[object],
    command: list[object] | None = None,
    module: str = "ebprof",
    event: str = "cpu-clock",
) -> Profiled:
    done = record(options, command or [], event=event, module=module)
    return Profiled(fold(done.output), done.stats, done.stderr)


def record(
    options: list[object],
    command: list[object],
    *,
    output_format: str = "folded",
    event: str = "cpu-clock",
    module: str = "ebprof",
) -> Recorded:
    """`ebprof profile OPTIONS [-- COMMAND]` in a format; by default by a clock that all have."""
    with tempfile.TemporaryDirectory() as directory:
        output, stats = Path(directory) / "out", Path(directory) / "stats"
        files = ["-e", event, "-f", output_format, "-o", output, "--stats", stats]
        words = [*options, *files, *(["--", *command] if command else [])]
        done = run("profile", *words, module=module)
        assert done.returncode == 0, done.stderr
        return Recorded(output.read_text(), json.loads(stats.read_text()), done.stderr)


def fold(text: str) -> Counter[Stack]:
    """Folded text as stacks."""
    stacks: Counter[Stack] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(stack.split(";"))] += int(count)
    return stacks


def assert_share(count: int, total: int, share: float, *, slack: float = 0.01) -> None:
    """A share of samples is as it should be: within four sigma, and what the system itself takes.

    slack: share of all samples that interrupts, page faults and thread switches may have.
    """
    assert total >= 2 * SOME, f"only {total} samples"
    allowed = SIGMAS * sqrt(total * share * (1 - share)) + slack * total
    assert abs(count - share * total) <= allowed, f"{count} of {total}, expected {share:.0%}"


def assert_leads_back(done: Profiled, *functions: str) -> None:
    """Many samples are in the kernel; all of them but a few have these functions on the stack."""
    kernel = done.count(_is_in_kernel)
    assert kernel >= 0.3 * done.total
    assert done.count(lambda s: _is_in_kernel(s) and {*functions} <= {*s}) >= 0.99 * kernel


def _is_in_kernel(stack: Stack) -> bool:
    return stack[-1].endswith("_[k]")


def assert_complete(done: Profiled) -> None:
    """Nothing was lost, and all stacks but a few reach the outermost frame."""
    assert done.stats["samples"]["lost"] == 0
    assert done.stats["samples"]["total"] == done.total
    assert done.complete_share >= COMPLETE_SHARE, done.stops
