"""As many samples as there is CPU time, however short threads and processes live."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests import slow, targets
from tests.live.cpu_time import IS_EMULATED, measure, measure_each, stopped, together
from tests.live.profiled import fold, run
from tests.targets import MissingCompilerError

SECONDS = 1.0
"""CPU time of a target."""
SECONDS_EACH = {99: 1.0, 997: 0.4}
"""CPU time of each of many, by frequency: a hundred samples, and four hundred."""
CROWD = 64 * 500
"""Calls of `brief` in a run of crowd.c."""
FAST = 99 if IS_EMULATED else 997
"""An emulated machine is so slow that it misses ticks at 997 Hz."""
SHELL_LOOP = "echo ready; while :; do /bin/true; /bin/echo a >/dev/null; done"
NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def jobs(microseconds: int, kind: str = "thread") -> list[object]:
    return [targets.build("jobs"), 0, microseconds, kind]


def java(directory: Path) -> list[object]:
    compiler, machine = shutil.which("javac"), shutil.which("java")
    if not compiler or not machine:
        raise MissingCompilerError("no JDK here")
    source = targets.PROGRAMS / "Jobs.java"
    subprocess.run([compiler, "-d", directory, source], check=True, capture_output=True)
    return [machine, "-cp", directory, "Jobs"]


def check(command: Sequence[object], frequency: int = FAST, seconds: float = SECONDS) -> None:
    with stopped(command) as pid:
        measure(pid, frequency, seconds).check()


LENGTHS = (500, 2_000, 20_000)
"""Of jobs, us: far below the period of 99 Hz, and above that of 997 Hz."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[list[object]]:
    """Commands with a thread for each job, of each language and length that can be had."""
    starts: tuple[Callable[[], list[object]], ...] = (
        lambda: [targets.build("jobs"), 0],
        lambda: [targets.build("gojobs"), 0],
        lambda: [sys.executable, targets.PROGRAMS / "pyjobs.py"],
        lambda: java(tmp_path_factory.mktemp("classes")),
    )
    found: list[list[object]] = []
    for start in starts:
        with suppress(MissingCompilerError):
            command = start()
            found += [[*command, length] for length in LENGTHS]
    return found


@pytest.mark.parametrize("frequency", [pytest.param(99, marks=slow.only), 997])
def test_a_thread_for_each_job_whatever_its_language_and_length(
    frequency: int, programs: list[list[object]]
) -> None:
    """All at once, in one profile: each must have its samples, and those of a length together."""
    with ExitStack() as opened:
        pids = [opened.enter_context(stopped(command)) for command in programs]
        shares = measure_each(pids, frequency, SECONDS_EACH[frequency])
    for share in shares:
        share.check()
    for length, _ in enumerate(LENGTHS):
        together(shares[length :: len(LENGTHS)]).check()


@pytest.mark.vm
@pytest.mark.parametrize(("microseconds", "frequency"), [(500, FAST), (2_000, 99), (20_000, FAST)])
def test_a_thread_for_each_job(microseconds: int, frequency: int) -> None:
    with stopped(jobs(microseconds)) as pid:
        done = measure(pid, frequency, SECONDS)
    done.check()
    # In an emulated machine the kernel needs more time for a thread than the job takes.
    assert done.profiled.count_of("job(double)") >= 0.3 * done.profiled.total


@pytest.mark.vm
@pytest.mark.parametrize(("microseconds", "frequency"), [(500, FAST), (20_000, 99)])
def test_a_pool_that_forks_and_reaps(microseconds: int, frequency: int) -> None:
    """Several workers at a time, each in the stead of one that has ended."""
    check(jobs(microseconds, "pool"), frequency, 3 * SECONDS)


def test_a_pool_in_python() -> None:
    check([sys.executable, targets.PROGRAMS / "pyjobs.py", 2_000, "pool"], 997, 3 * SECONDS)


@pytest.mark.vm
@pytest.mark.parametrize("frequency", sorted({99, FAST}))
def test_a_shell_that_runs_commands(frequency: int) -> None:
    check(["sh", "-c", SHELL_LOOP], frequency)


@pytest.mark.parametrize(
    ("kind", "frequency"), [pytest.param("process", 99, marks=slow.only), ("exec", 997)]
)
def test_a_process_for_each_job(kind: str, frequency: int) -> None:
    check(jobs(2_000, kind), frequency)


@pytest.mark.vm
def test_what_was_started_before_belongs_to_it() -> None:
    words = [str(word) for word in jobs(2_000, "process")]
    check(["sh", "-c", f"{' '.join(words)}; :"])


def test_within_a_pid_namespace_seen_from_outside() -> None:
    with stopped(jobs(2_000, "process"), within=NAMESPACE) as pid:
        measure(pid, 997, SECONDS).check()


@pytest.mark.parametrize(
    ("kind", "frequency"), [("exec", 997), pytest.param("pool", 99, marks=slow.only)]
)
def test_nested_namespaces_seen_from_outside(kind: str, frequency: int) -> None:
    with stopped(jobs(2_000, kind), within=(*NAMESPACE, *NAMESPACE)) as pid:
        measure(pid, frequency, 2 * SECONDS).check()


@pytest.mark.vm
def test_a_command_within_a_pid_namespace() -> None:
    words = [
        sys.executable,
        "-m",
        "ebprof",
        "profile",
        "-e",
        "cpu-clock",
        "-F",
        str(FAST),
        "--",
        "sh",
    ]
    loop = "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i + 1)); done"
    done = subprocess.run(
        [*NAMESPACE, *words, "-c", loop], capture_output=True, text=True, check=True
    )
    assert IS_EMULATED or "sampled" not in done.stderr
    assert "true;" in done.stdout
    assert "sh;" in done.stdout


def test_calls_of_a_command_within_a_pid_namespace_are_all_counted() -> None:
    program = targets.build("crowd")
    words = [sys.executable, "-m", "ebprof", "profile", "-e", f"u:{program}:brief", "-f", "folded"]
    command = ["sh", "-c", f"{program}; {program}"]
    done = subprocess.run(
        [*NAMESPACE, *words, "--", *command], capture_output=True, text=True, check=True
    )
    stacks = fold(done.stdout)
    assert sum(n for stack, n in stacks.items() if stack[0] == "crowd") == 2 * CROWD
    assert stacks.total() == 2 * CROWD


def test_without_inheritance_what_it_starts_is_left_out() -> None:
    with stopped(jobs(2_000, "process")) as pid:
        done = measure(pid, 997, SECONDS, "-p", pid, "--no-inherit")
    assert done.profiled.count_of("job(double)") == 0
    assert done.profiled.stats["samples"]["cpu_seconds"] < 0.5 * done.share.cpu_seconds


def test_nothing_ran_is_said_with_the_cpu_time_that_was_measured() -> None:
    with stopped(jobs(2_000)) as pid:
        done = run("profile", "-p", pid, "-d", 0.5)
    assert done.returncode == 0
    assert "lost 0: it had 0.000 s of CPU time" in done.stderr


def test_proc_of_another_namespace_is_refused() -> None:
    words = [sys.executable, "-m", "ebprof", "profile", "-a", "-d", "1"]
    done = subprocess.run(["unshare", "--pid", "--fork", *words], capture_output=True, text=True)
    assert done.returncode == 5
    assert "/proc shows the processes of another PID namespace" in done.stderr


def test_what_a_namespace_does_not_show_is_counted() -> None:
    words = [sys.executable, "-m", "ebprof", "profile", "-a", "-F", "997", "-d", "1"]
    with targets.running("split"):
        done = subprocess.run([*NAMESPACE, *words], capture_output=True, text=True, check=True)
    assert "outside_namespace" in done.stderr
