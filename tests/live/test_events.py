"""-e: perf's counters, tracepoints and user functions, each counted where it happens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebprof.bpf import events
from ebprof.output import read_profile
from ebprof.procfs import process
from ebprof.procfs.mounts import read_mounts
from tests import targets
from tests.live.cgroups import new_cgroup
from tests.live.profiled import Profiled, count_events, run, run_here

Capture = pytest.CaptureFixture[str]
LEFT, RIGHT, OPENS, PAGES = 1000, 234, 500, 2000
"""What `calls 0 once` does, see calls.c."""
WHILE = ("-d", 1)
SOME = 20
"""Of the thousand calls that a thread makes in that time, on a machine that is busy elsewhere."""
ROOM = 1 << 30
FAULTS = """
import mmap, time
while True:
    with mmap.mmap(-1, 1 << 20) as memory:
        memory.write(bytes(1 << 20))
    time.sleep(0.01)
"""
NEWS = ("no_mapping", "no_table_yet")
"""How stacks end in libraries that ebprof has not had the time to look at."""
OPEN = "syscalls:sys_enter_openat"


def once(event: str, *options: object, module: str = "ebprof") -> Profiled:
    """An event of `calls 0 once`."""
    command = (targets.build("calls"), 0, "once")
    return count_events(event, *options, command=command, module=module)


def thread(pid: int, name: str) -> int:
    """The thread of that name."""
    (found,) = (tid for tid in process.threads(pid) if process.comm(tid) == name)
    return found


def callers(done: Profiled) -> set[str]:
    """Who called `counted`; every stack has it at its end, but of processes not known in time."""
    assert done.total >= SOME
    named = [stack for stack in done.stacks if stack[-1] == "counted" and len(stack) > 2]
    unknown = done.stops.get("no_table_yet", 0)
    assert done.count_of("counted") >= max(SOME, done.total - unknown)
    return {stack[-2] for stack in named}


def function() -> str:
    """The event `counted`, in all processes that run the program."""
    return f"u:{targets.build('calls')}:counted"


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup of the second version."""
    with new_cgroup([Path(one.path) for one in read_mounts() if one.kind == "cgroup2"]) as made:
        yield made


@pytest.mark.vm
@pytest.mark.parametrize("has_path", [True, False])
def test_each_call_of_a_function_is_counted_under_its_caller(has_path: bool) -> None:
    done = once(function() if has_path else "u:counted")
    assert done.count_calls("main", "from_left", "counted") == LEFT
    assert done.count_calls("main", "from_right", "counted") == RIGHT
    assert done.total == LEFT + RIGHT
    assert done.stops.keys() <= {"complete", *NEWS}
    assert done.stats["samples"]["lost"] == 0
    assert done.stats["event"] == "probe_calls:counted"
    assert (done.stats["frequency"], done.stats["period"]) == (0, 1)


@pytest.mark.vm
def test_code_is_named_by_its_offset_too() -> None:
    path = targets.build("calls")
    lines = subprocess.check_output(["nm", path], text=True).splitlines()
    (address,) = (line.split()[0] for line in lines if line.endswith(" counted"))
    done = once(f"u:{path}:0x{address}")  # in this program addresses are offsets
    assert done.count_calls("from_left", "counted") == LEFT
    assert done.total == LEFT + RIGHT


@pytest.mark.vm
def test_each_call_into_the_kernel_is_counted() -> None:
    done = once(OPEN)
    assert done.count_of("open_often") == OPENS
    assert done.stats["event"] == OPEN
    assert done.stats["samples"]["lost"] == 0


@pytest.mark.parametrize("event", ["u:counted", OPEN])
def test_old_kernels_count_the_same(event: str) -> None:
    done = once(event, "-c", 2, module="tests.live.old_kernel")
    new = once(event, "-c", 2)
    for function in ("from_left", "from_right", "open_often"):
        assert abs(done.count_of(function) - new.count_of(function)) <= (os.cpu_count() or 1)
    assert done.stops.keys() <= {"complete", *NEWS}


def test_kernel_and_user_stacks_can_be_left_out() -> None:
    users = once(OPEN, "-U")
    assert users.count(lambda stack: any(one.endswith("_[k]") for one in stack)) == 0
    assert users.count_of("open_often") == OPENS
    kernels = once(OPEN, "-K")
    assert kernels.count(lambda stack: all(one.endswith("_[k]") for one in stack[1:])) >= OPENS


@pytest.mark.vm
def test_page_faults_are_those_of_the_code_that_touches_memory() -> None:
    done = once("page-faults")
    assert done.count_of("touch") == PAGES
    assert done.stats["event"] == "page-faults"


def test_page_faults_of_reading_the_records_do_not_feed_themselves() -> None:
    with subprocess.Popen([sys.executable, "-c", FAULTS]) as process:
        try:
            done = count_events("page-faults", *WHILE, module="tests.live.old_kernel")
        finally:
            process.kill()
    assert done.total >= SOME
    assert done.stats["tool"]["max_rss_bytes"] < ROOM


def test_a_period_stands_for_as_many_events() -> None:
    done = once("page-faults", "-c", 10)
    assert PAGES // 10 - 1 <= done.count_of("touch") <= PAGES // 10 + 1
    assert done.stats["period"] == 10
    calls = once("u:counted", "-c", 7)
    cpus = os.cpu_count() or 1
    assert (LEFT + RIGHT) // 7 - cpus <= calls.total <= (LEFT + RIGHT) // 7


@pytest.mark.vm
def test_switches_are_counted_in_the_thread_that_leaves() -> None:
    with targets.running("calls") as program:
        done = count_events("context-switches", "-p", program.pid, *WHILE)
        traced = count_events("sched:sched_switch", "-p", program.pid, *WHILE)
    for one in (done, traced):
        assert {stack[0] for stack in one.stacks} <= {"left", "right", "calls"}
        assert one.count_of("usleep") + one.count_of("clock_nanosleep") >= SOME


@pytest.mark.vm
def test_only_a_process() -> None:
    with targets.running("calls") as program, targets.running("calls"):
        done = count_events("u:counted", "-p", program.pid, *WHILE)
        system = count_events(function(), "-p", program.pid, *WHILE)
    assert callers(done) == callers(system) == {"from_left", "from_right"}
    assert done.stats["counters"].get("filtered", 0) == 0
    assert system.stats["counters"].get("filtered", 0) == 0


@pytest.mark.vm
@pytest.mark.parametrize("name", ["left", "right"])
def test_only_a_thread(name: str) -> None:
    with targets.running("calls") as program:
        done = count_events(function(), "-t", thread(program.pid, name), *WHILE)
        switches = count_events("sched:sched_switch", "-t", thread(program.pid, name), *WHILE)
    assert callers(done) == {f"from_{name}"}
    assert switches.total >= SOME
    assert {stack[0] for stack in switches.stacks} == {name}


def test_only_threads_of_a_name() -> None:
    with targets.running("calls"):
        assert callers(count_events(function(), "--comm", "left", *WHILE)) == {"from_left"}


def test_only_on_a_cpu() -> None:
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("one CPU only")
    with targets.running("calls"):
        done = count_events(function(), "-a", "-C", cpus[1], *WHILE)
    assert callers(done) == {"from_right"}


@pytest.mark.vm
def test_only_a_cgroup(cgroup: Path) -> None:
    with targets.running("calls") as inside, targets.running("calls"):
        (cgroup / "cgroup.procs").write_text(str(inside.pid))
        done = count_events(function(), "-G", cgroup, *WHILE)
        (cgroup.parent / "cgroup.procs").write_text(str(inside.pid))
    assert callers(done) == {"from_left", "from_right"}
    assert done.stats["counters"]["filtered"] >= SOME


def test_what_a_command_starts_belongs_to_it() -> None:
    path = targets.build("calls")
    script = f"{path} 0 once; {path} 0 once; true"
    with targets.running("calls"):
        done = count_events(function(), command=("sh", "-c", script))
    assert done.total == 2 * (LEFT + RIGHT)
    assert done.stats["counters"].get("filtered", 0) > 0


def test_many_threads_at_one_function_lose_nothing() -> None:
    done = count_events("u:brief", command=(targets.build("crowd"),))
    assert done.total == 64 * 500
    assert done.stats["samples"]["lost"] == 0


def test_pprof_says_what_was_counted(tmp_path: Path) -> None:
    output = tmp_path / "faults.pb.gz"
    words = ("profile", "-q", "-e", "faults", "-o", output, "--", targets.build("calls"), 0, "once")
    assert run(*words).returncode == 0
    profile = read_profile(str(output))
    assert (profile.event, profile.unit, profile.period) == ("page-faults", "count", 1)
    assert profile.total >= PAGES


def test_what_the_machine_does_not_count_is_refused(capsys: Capture) -> None:
    if events.is_supported(events.CYCLES):
        pytest.skip("this machine counts cycles")
    done = run_here(capsys, "profile", "-e", "cache-misses", "-d", 1)
    assert done.returncode == 5
    assert done.stderr.startswith("ebprof: this machine does not count cache-misses: ")


@pytest.mark.parametrize(
    ("event", "code", "message"),
    [
        ("sched:sched_swich", 2, "did you mean sched:sched_switch"),
        ("page-fault", 2, "did you mean page-faults"),
        ("u:counted", 2, "names no file"),
        ("u:/etc/passwd:main", 6, "not an ELF file"),
        ("u:/no/such/file:main", 6, "cannot open /no/such/file"),
        ("u:/usr/bin/env:no_such_function", 3, "no function 'no_such_function'"),
        ("u:/usr/bin/env:0x1", 2, "no code at offset 0x1"),
        ("u:/usr/bin/env:", 2, "no function in"),
    ],
)
def test_an_event_that_cannot_be_had_is_one_line(
    event: str, code: int, message: str, capsys: Capture
) -> None:
    done = run_here(capsys, "profile", "-e", event, "-d", 1)
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert message in line


def test_a_rate_that_does_not_fit_is_refused(capsys: Capture) -> None:
    for words, message in (
        (("-e", "sched:sched_switch", "-F", 99), "has no frequency"),
        (("-e", "page-faults", "-F", 99, "-c", 1), "exclude each other"),
    ):
        done = run_here(capsys, "profile", *words, "-d", 1)
        assert done.returncode == 2
        assert message in done.stderr


def test_help_lists_what_there_is() -> None:
    done = run("profile", "-e", "help")
    assert done.returncode == 0
    names = {line.split()[0] for line in done.stdout.splitlines()}
    assert {"cpu-clock", "page-faults", "cycles", "sched:sched_switch", "u:function"} <= names
