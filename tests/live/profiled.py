"""Runs `ebprof profile` for the live tests and reads what it says; checks shares of samples."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from subprocess import PIPE, CompletedProcess
from typing import Any

import pytest

from ebprof import cli
from ebprof.output.folded import clean
from tests.forked import Forked
from tests.live.waiting import TIME_LIMIT, wait_for_work, wait_until_sampling

SECONDS = 1
WORK_SECONDS = 0.6
"""CPU time of a process that is sampled alone."""
WORK_SECONDS_EACH = 0.2
"""Of one that is sampled beside others."""
FREQUENCY = 997
COMPLETE_SHARE = 0.995
SIGMAS = 4
SOME = 50
"""Samples that show that something was sampled: other work may leave it a tenth of a CPU."""
KERNEL = "[kernel.kallsyms]"
KERNEL_SUFFIX = "_[k]"
NO_USER_STACK = "no_user_stack"

Stack = tuple[str, ...]
Until = Callable[[int], None]
"""Given the PID of an ebprof, waits for what shall interrupt it."""


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
    def with_user_stack(self) -> int:
        """Samples that were not taken in a kernel thread."""
        samples = self.stats["samples"]
        return int(samples["total"]) - int(samples["kernel_only"])

    @property
    def complete_share(self) -> float:
        """Share of the samples with a user stack that reached its outermost frame."""
        return self.stops.get("complete", 0) / self.with_user_stack

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


def run(
    *words: object, module: str = "ebprof", until: Until | None = None
) -> CompletedProcess[str]:
    """`ebprof WORDS...` as a user runs it; module: what stands for ebprof."""
    with Forked(module, *words, stdout=PIPE, stderr=PIPE, text=True) as process:
        try:
            if until:
                until(process.pid)
                process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=TIME_LIMIT)
        finally:
            process.kill()
    return CompletedProcess(process.args, process.returncode, out, err)


def run_here(capsys: pytest.CaptureFixture[str], *words: object) -> CompletedProcess[str]:
    """`ebprof WORDS...` in this process, for what ends before anything is recorded."""
    command = [str(word) for word in words]
    with pytest.raises(SystemExit) as ended:
        cli.main(command)
    out, err = capsys.readouterr()
    return CompletedProcess(command, int(ended.value.code or 0), out, err)


def after_work(
    pids: Sequence[int], work: float = WORK_SECONDS, *, are_stopped: bool = True
) -> Until:
    """What waits until ebprof has sampled so much CPU time of each of some processes.

    They are stopped before and after that: others have their CPU meanwhile. Who traces a process
    sees such signals in its place; those are not to be stopped.
    """
    stopped = pids if are_stopped else ()
    return _running_while(stopped, lambda: wait_for_work(pids, work))


def after_time(pids: Sequence[int], seconds: float) -> Until:
    """What waits until some processes, which are stopped before and after, have run so long."""
    return _running_while(pids, lambda: time.sleep(seconds))


def _running_while(pids: Sequence[int], wait: Callable[[], None]) -> Until:
    def wait_for(recorder: int) -> None:
        _send(pids, signal.SIGSTOP)
        wait_until_sampling(recorder)
        _send(pids, signal.SIGCONT)
        wait()
        _send(pids, signal.SIGSTOP)

    return wait_for


def profile(
    *options: object,
    seconds: float | None = None,
    work: float = WORK_SECONDS,
    work_of: Sequence[int] = (),
    until: Until | None = None,
    frequency: int = FREQUENCY,
    module: str = "ebprof",
) -> Profiled:
    """Profile with options (a target, mostly); inlined calls are left out, as perf's are.

    until, or seconds: how long. Without them until each process of `work_of`, or of the option `-p`
    that stands first, has had `work` seconds of CPU time, on a busy machine later. Before and after
    that these processes are stopped.
    """
    words = ["-F", frequency, "--no-inline", *options]
    pids = work_of or _targets(options)
    if until is None and not pids:
        return _profile(["-d", seconds or SECONDS, *words], module=module)
    waits = after_work(pids, work) if seconds is None else after_time(pids, seconds)
    try:
        return _profile(words, module=module, until=until or waits)
    finally:
        _send(pids, signal.SIGCONT)


def profile_each(
    pids: Sequence[int], *options: object, work: float = WORK_SECONDS_EACH
) -> list[Profiled]:
    """Profile processes in one run: of each its own samples, with what the run says of all."""
    done = record_each(pids, *options, work=work)
    document = json.loads(done.output)
    return [_of_process(pid, document, done) for pid in pids]


def record_each(pids: Sequence[int], *options: object, work: float = WORK_SECONDS_EACH) -> Recorded:
    """`ebprof profile -f json` of processes that run one after the other, and else are stopped."""
    words = ["-F", FREQUENCY, "--no-inline", "-p", ",".join(map(str, pids)), *options]
    _send(pids, signal.SIGSTOP)

    def wait(recorder: int) -> None:
        wait_until_sampling(recorder)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
            wait_for_work([pid], work)
            os.kill(pid, signal.SIGSTOP)

    done = record(words, [], output_format="json", until=wait)
    _send(pids, signal.SIGCONT)
    return done


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _targets(options: Sequence[object]) -> list[int]:
    return [int(pid) for pid in str(options[1]).split(",")] if options[:1] == ("-p",) else []


def _of_process(pid: int, document: dict[str, Any], run: Recorded) -> Profiled:
    stacks: Counter[Stack] = Counter()
    stops: Counter[str] = Counter()
    frames = [_frame(location, document) for location in document["locations"]]
    for sample in document["samples"]:
        if sample["pid"] == pid:
            names = (frames[number] for number in reversed(sample["locations"]))
            stacks[(clean(sample["comm"]), *names)] += sample["count"]
            stops[sample["stop"]] += sample["count"]
    counts = {"total": stops.total(), "kernel_only": stops[NO_USER_STACK]}
    samples = {"samples": run.stats["samples"] | counts, "stacks": {"stop": stops}}
    return Profiled(stacks, run.stats | samples, run.stderr)


def _frame(location: dict[str, Any], document: dict[str, Any]) -> str:
    """A frame as folded stacks have it."""
    (frame,), number = location["frames"], location["mapping"]
    is_kernel = number is not None and document["mappings"][number]["path"] == KERNEL
    return clean(document["frames"][frame]["function"]) + (KERNEL_SUFFIX if is_kernel else "")


def profile_command(*command: object, options: tuple[object, ...] = ()) -> Profiled:
    """`ebprof profile -- COMMAND`, until the command ends."""
    return _profile(["-F", FREQUENCY, "--no-inline", *options], [*command])


def count_events(
    event: str,
    *options: object,
    command: tuple[object, ...] = (),
    module: str = "ebprof",
    until: Until | None = None,
) -> Profiled:
    """`ebprof profile -e EVENT`, of a command until it ends."""
    return _profile(["--no-inline", *options], [*command], module, event, until)


def _profile(
    options: list[object],
    command: list[object] | None = None,
    module: str = "ebprof",
    event: str = "cpu-clock",
    until: Until | None = None,
) -> Profiled:
    done = record(options, command or [], event=event, module=module, until=until)
    return Profiled(fold(done.output), done.stats, done.stderr)


def record(
    options: list[object],
    command: list[object],
    *,
    output_format: str = "folded",
    event: str = "cpu-clock",
    module: str = "ebprof",
    until: Until | None = None,
) -> Recorded:
    """`ebprof profile OPTIONS [-- COMMAND]` in a format; by default by a clock that all have."""
    with tempfile.TemporaryDirectory() as directory:
        output, stats = Path(directory) / "out", Path(directory) / "stats"
        files = ["-e", event, "-f", output_format, "-o", output, "--stats", stats]
        words = [*options, *files, *(["--", *command] if command else [])]
        done = run("profile", *words, module=module, until=until)
        assert done.returncode == 0, done.stderr
        return Recorded(output.read_text(), json.loads(stats.read_text()), done.stderr)


def fold(text: str) -> Counter[Stack]:
    """Folded text as stacks."""
    stacks: Counter[Stack] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(stack.split(";"))] += int(count)
    return stacks


def assert_most(count: int, total: int, share: float) -> None:
    """At least this share of some samples is as it should be, within four sigma of so few."""
    least = share * total
    assert total >= SOME, f"only {total} samples"
    assert count >= least - SIGMAS * sqrt(least * (1 - share)), f"{count} of {total}"


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
    assert_most(kernel, done.total, 0.3)
    assert_most(done.count(lambda s: _is_in_kernel(s) and {*functions} <= {*s}), kernel, 0.99)


def _is_in_kernel(stack: Stack) -> bool:
    return stack[-1].endswith(KERNEL_SUFFIX)


def assert_complete(done: Profiled) -> None:
    """Nothing was lost, and all stacks but a few reach the outermost frame."""
    assert done.stats["samples"]["lost"] == 0
    assert done.stats["samples"]["total"] == done.total
    assert_most(done.stops.get("complete", 0), done.with_user_stack, COMPLETE_SHARE)
