"""Profiles a process while it runs for a known CPU time: what /proc accounts for, to a tick."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from subprocess import PIPE
from typing import Any

from ebprof.procfs import process
from tests.forked import Forked
from tests.live.profiled import SIGMAS, Profiled, fold
from tests.live.waiting import (
    PATIENCE,
    TICK_S,
    TIME_LIMIT,
    innermost,
    wait_until,
    wait_until_sampling,
)

LOOK_S = 0.05
"""Between two looks at all processes."""
IS_EMULATED = PATIENCE > 1
"""Then a virtual CPU stands still at times, which is CPU time without ticks to its kernel."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a process with all beneath it had: samples, and CPU time meanwhile.

    slack_s: how wrong the CPU time can be, by rounding to ticks.
    """

    samples: int
    frequency: int
    cpu_seconds: float
    slack_s: float

    def check(self) -> None:
        """Samples are as many as the CPU time makes, within four standard deviations."""
        expected = self.cpu_seconds * self.frequency
        margin = SIGMAS * sqrt(expected) + 1 + self.slack_s * self.frequency
        assert expected > margin, f"only {self.cpu_seconds} s of CPU time: no samples would pass"
        if IS_EMULATED:
            margin += 0.3 * expected
        assert abs(self.samples - expected) <= margin, self


def together(shares: Sequence[Share]) -> Share:
    """Of several processes, as if they were one: their sum varies less."""
    return Share(
        samples=sum(one.samples for one in shares),
        frequency=shares[0].frequency,
        cpu_seconds=sum(one.cpu_seconds for one in shares),
        slack_s=sum(one.slack_s for one in shares),
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """A profile, and what the target and all beneath it had."""

    profiled: Profiled
    share: Share

    def check(self) -> None:
        """As many samples as there was CPU time; and ebprof knows both."""
        self.share.check()
        check_statistics(self.profiled.stats, self.share.cpu_seconds, self.share.slack_s)


def check_statistics(stats: dict[str, Any], cpu_seconds: float, slack_s: float) -> None:
    """The CPU time is what ebprof says too, and it misses nothing."""
    assert abs(stats["samples"]["cpu_seconds"] - cpu_seconds) <= slack_s + 0.02, stats
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
    words = ["-F", frequency, "-f", "folded", *(options or ("-p", group))]
    with _recording(words, within) as run:
        (times,) = _let_run([group], seconds)
    profiled = Profiled(fold(run.output), run.stats, run.stderr)
    return Measured(profiled, times.share(profiled.total, frequency))


def measure_each(groups: Sequence[int], frequency: int, seconds: float) -> list[Share]:
    """The same for processes that start none, in one profile; each gets so much CPU time."""
    words = ["-F", frequency, "-f", "json", "-p", ",".join(map(str, groups))]
    with _recording(words) as run:
        times = _let_run(groups, seconds)
    samples: Counter[int] = Counter()
    for sample in json.loads(run.output)["samples"]:
        samples[sample["pid"]] += sample["count"]
    shares = [one.share(samples[pid], frequency) for pid, one in zip(groups, times, strict=True)]
    everything = together(shares)
    assert samples.total() == everything.samples
    check_statistics(run.stats, everything.cpu_seconds, everything.slack_s)
    return shares


@dataclass(slots=True)
class _Run:
    """What a recording wrote, once it is over."""

    output: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    stderr: str = ""


@contextmanager
def _recording(words: Sequence[object], within: Sequence[str] = ()) -> Iterator[_Run]:
    """`ebprof profile -e cpu-clock WORDS`, which samples while this is entered."""
    run = _Run()
    with tempfile.TemporaryDirectory() as directory:
        output, stats = Path(directory) / "out", Path(directory) / "stats"
        files = ["-o", output, "--stats", stats]
        words = ["profile", "-e", "cpu-clock", *words, *files]
        with Forked("ebprof", *words, stderr=PIPE, text=True, within=within) as recorder:
            try:
                wait_until_sampling(recorder.pid)
                time.sleep(0.1)  # its events are enabled one after the other
                yield run
                os.kill(innermost(recorder.pid), signal.SIGINT)
                _, run.stderr = recorder.communicate(timeout=TIME_LIMIT)
            finally:
                recorder.kill()
        assert recorder.returncode == 0, run.stderr
        run.output, run.stats = output.read_text(), json.loads(stats.read_text())


@dataclass(frozen=True, slots=True)
class _Times:
    """CPU time, s, by process, before a target ran and after."""

    before: dict[int, float]
    after: dict[int, float]

    def share(self, samples: int, frequency: int) -> Share:
        cpu_seconds = sum(self.after.values()) - sum(self.before.values())
        slack_s = 2 * TICK_S * (len(self.before) + len(self.after))
        return Share(samples, frequency, cpu_seconds, slack_s)


def _let_run(groups: Sequence[int], seconds: float) -> list[_Times]:
    """All groups at once, each until it and all beneath it had so much CPU time."""
    before = families(groups)
    ends = {group: sum(known.values()) + seconds for group, known in before.items()}
    for group in groups:
        os.killpg(group, signal.SIGCONT)

    def stop_those_that_had_it() -> bool:
        for group, times in families([*ends]).items():
            if sum(times.values()) >= ends[group]:
                os.killpg(group, signal.SIGSTOP)
                del ends[group]
        time.sleep(LOOK_S)
        return not ends

    wait_until(stop_those_that_had_it, "enough CPU time")
    time.sleep(5 * TICK_S)
    after = families(groups)
    return [_Times(before[group], after[group]) for group in groups]


def families(pids: Sequence[int]) -> dict[int, dict[int, float]]:
    """`family` of each."""
    stats = {one: _stat(one) for one in process.all_processes()}
    return {pid: family(pid, stats) for pid in pids}


def family(pid: int, stats: Mapping[int, Sequence[bytes]]) -> dict[int, float]:
    """CPU time, s, by process: of it and all beneath it, with that of the children they reaped."""
    parents = {one: int(stat[1]) for one, stat in stats.items() if stat}
    members = {pid}
    while found := {one for one, up in parents.items() if up in members} - members:
        members |= found
    return {one: TICK_S * sum(map(int, stats[one][11:15])) for one in members if stats.get(one)}


def _stat(pid: int) -> list[bytes]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return []
