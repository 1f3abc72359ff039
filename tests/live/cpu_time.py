"""Profiles a process while it runs for a known CPU time: what /proc accounts for, to a tick."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from ebprof.procfs import process
from ebprof.sampling.target import online_cpus
from tests.live.profiled import PATIENCE, SIGMAS, TIME_LIMIT, Profiled, fold

IS_EMULATED = PATIENCE > 1
"""Then a virtual CPU stands still at times, which is CPU time without ticks to its kernel."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """A profile, and the CPU time that the target and all beneath it had meanwhile.

    slack_s: how wrong the CPU time can be, by rounding to ticks.
    """

    profiled: Profiled
    frequency: int
    cpu_seconds: float
    slack_s: float

    def check(self) -> None:
        """Samples are as many as the CPU time makes, within four standard deviations."""
        expected = self.cpu_seconds * self.frequency
        margin = SIGMAS * sqrt(expected) + 1 + self.slack_s * self.frequency
        assert expected > margin, f"only {self.cpu_seconds} s of CPU time: no samples would pass"
        stats = self.profiled.stats
        if IS_EMULATED:
            margin += 0.3 * expected
        assert abs(self.profiled.total - expected) <= margin, (self, stats)
        assert abs(stats["samples"]["cpu_seconds"] - self.cpu_seconds) <= self.slack_s + 0.02, self
        assert stats["samples"]["lost"] == 0
        assert "not_followed" not in stats["counters"]
        assert IS_EMULATED or not {"undersampled", "oversampled"} & stats["counters"].keys()


@contextmanager
def stopped(command: Sequence[object], *, within: Sequence[str] = ()) -> Iterator[int]:
    """Start a command that prints "ready", in a group of its own, and stop it then: its PID."""
    words = [*within, *map(str, command)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == b"ready\n"
            os.killpg(started.pid, signal.SIGSTOP)
            yield started.pid
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


def measure(
    group: int, frequency: int, seconds: float, *options: object, within: Sequence[str] = ()
) -> Measured:
    """Profile the process `group`, and let all of its process group run for so much CPU time."""
    with tempfile.TemporaryDirectory() as directory:
        output, stats = Path(directory) / "out", Path(directory) / "stats"
        words = [*within, sys.executable, "-m", "ebprof", "profile", "-e", "cpu-clock"]
        words += ["-F", str(frequency), "-f", "folded", "-o", str(output), "--stats", str(stats)]
        words += map(str, options or ("-p", group))
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as recorder:
            before = wait_until_sampling(recorder.pid) or family(group)
            os.killpg(group, signal.SIGCONT)
            _wait_for_cpu_time(group, sum(before.values()) + seconds)
            os.killpg(group, signal.SIGSTOP)
            time.sleep(5 * TICK_S)
            after = family(group)
            os.kill(_innermost(recorder.pid), signal.SIGINT)
            _, errors = recorder.communicate(timeout=TIME_LIMIT)
        assert recorder.returncode == 0, errors
        profiled = Profiled(fold(output.read_text()), json.loads(stats.read_text()), errors)
    slack = 2 * TICK_S * (len(before) + len(after))
    return Measured(profiled, frequency, sum(after.values()) - sum(before.values()), slack)


def wait_until_sampling(pid: int) -> None:
    """Until a perf event is open on each CPU besides those of the side band."""
    deadline = time.monotonic() + TIME_LIMIT
    while time.monotonic() < deadline:
        if _perf_events(_innermost(pid)) >= 2 * len(online_cpus()):
            time.sleep(0.1)  # they are enabled one after the other
            return
        time.sleep(0.01)
    raise AssertionError("sampling did not begin")


def _wait_for_cpu_time(pid: int, seconds: float) -> None:
    """On a busy machine this takes long."""
    deadline = time.monotonic() + TIME_LIMIT
    while sum(family(pid).values()) < seconds:
        assert time.monotonic() < deadline, "the target had no CPU time"
        time.sleep(0.05)


def family(pid: int) -> dict[int, float]:
    """CPU time, s, by process: of it and all beneath it, with that of the children they reaped."""
    parents = {one: _stat(one)[1] for one in process.all_processes() if _stat(one)}
    members = {pid}
    while found := {one for one, up in parents.items() if int(up) in members} - members:
        members |= found
    return {one: TICK_S * sum(map(int, _stat(one)[11:15])) for one in members if _stat(one)}


def _stat(pid: int) -> list[Any]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _perf_events(pid: int) -> int:
    count = 0
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                count += str(link.readlink()) == "anon_inode:[perf_event]"
    return count


def _innermost(pid: int) -> int:
    """The process itself, or the one that `unshare --fork` started."""
    name = process.comm(pid)
    below = process.children(pid) if name == "unshare" else []
    return _innermost(below[0]) if below else pid
