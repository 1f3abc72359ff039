"""Facts about processes, from real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ebprof.errors import NoTargetError
from ebprof.procfs import process
from ebprof.procfs.maps import read_maps
from ebprof.procfs.text import printable
from tests import targets


def own_pid() -> int:
    return os.getpid()


def gone_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def test_threads() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        assert {own_pid(), thread.native_id} <= set(process.threads(own_pid()))
    finally:
        stop.set()
        thread.join()


def test_hostile_name_is_cleaned_and_does_not_shift_fields() -> None:
    code = r"open('/proc/self/comm','wb').write(b'x) R 1\x1b[2J\xff'); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        deadline = time.monotonic() + 10
        while not process.comm(child.pid).startswith("x)"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert process.comm(child.pid).isprintable()
        assert not process.is_kernel_thread(child.pid)
        assert child.pid in process.children(own_pid())
        assert process.start_time(child.pid) >= process.start_time(own_pid())
        child.kill()


@pytest.mark.parametrize("name", [b"\rUid:\t77 77", b"\rUid:\tx", b"\rNSpid:\tx", b"a\nTgid:\t1"])
def test_a_name_that_looks_like_a_field_is_none(name: bytes) -> None:
    code = f"open('/proc/self/comm','wb').write({name!r}); print(flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline()
        assert process.user_ids(child.pid) == {os.geteuid()}
        assert process.leader(child.pid) == child.pid
        assert process.namespace_pid(child.pid) > 0
        child.kill()


def test_leader_of_a_thread() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert thread.native_id is not None and thread.native_id != own_pid()
        assert process.leader(thread.native_id) == own_pid()
    finally:
        stop.set()
        thread.join()


def initial_namespace() -> bool:
    return process.exists(2) and process.comm(2) == "kthreadd"


def test_all_processes_and_kernel_threads() -> None:
    assert own_pid() in process.all_processes()
    assert not process.is_kernel_thread(own_pid())
    assert process.own_pid_namespace_is_initial() == initial_namespace()
    assert not initial_namespace() or process.is_kernel_thread(2)


def test_users_cgroup_and_namespace() -> None:
    assert os.geteuid() in process.user_ids(own_pid())
    assert process.cgroups(own_pid()) == Path("/proc/self/cgroup").read_bytes()
    assert process.exists(own_pid())
    assert not initial_namespace() or process.namespace_pid(own_pid()) == own_pid()


@pytest.mark.skipif(os.geteuid() != 0, reason="unshare needs root")
def test_number_in_another_namespace() -> None:
    command = ["unshare", "--pid", "--fork", "--kill-child", "sleep", "60"]
    with subprocess.Popen(command) as parent:
        deadline = time.monotonic() + 10
        while not (inner := process.children(parent.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert process.namespace_pid(inner[0]) == 1
        parent.kill()


@pytest.mark.parametrize(
    "ask",
    [
        process.threads,
        process.living_thread,
        process.comm,
        process.start_time,
        process.is_kernel_thread,
        process.cgroups,
        process.children,
        process.namespace_pid,
        process.user_ids,
        process.leader,
    ],
)
def test_gone_process(ask: object) -> None:
    pid = gone_pid()
    assert not process.exists(pid)
    assert callable(ask)
    with pytest.raises(NoTargetError, match=f"no such process: {pid}"):
        ask(pid)


def test_printable_cleans_only_what_is_not() -> None:
    assert printable("größe") == "größe"
    assert printable(b"a\nb\x1b[0mc\xff") == "a\ufffdb\ufffd[0mc\ufffd"
    assert printable("\udcff") == "\ufffd"
    assert printable("a\u202eb") == "a\ufffdb"


def test_a_process_runs_as_long_as_any_thread_of_it() -> None:
    with targets.running("headless") as target:
        other = process.living_thread(target.pid)
        assert other in set(process.threads(target.pid)) - {target.pid}
        assert process.directory(target.pid) == f"/proc/{other}"
        assert process.is_running(target.pid)
        assert process.cgroups(target.pid) == process.cgroups(own_pid())
        names = [entry.path for entry in read_maps(target.pid)]
        assert str(target.path) in names


def test_a_process_that_was_not_waited_for_does_not_run() -> None:
    child = subprocess.Popen(["true"])
    deadline = time.monotonic() + 10
    while process.is_running(child.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.exists(child.pid)
    with pytest.raises(NoTargetError, match=f"process {child.pid} has ended"):
        read_maps(child.pid)
    child.wait()
    assert not process.is_running(child.pid)


def test_the_first_thread_is_the_one_to_ask_while_it_lives() -> None:
    assert process.directory(own_pid()) == f"/proc/{own_pid()}"


def test_a_long_environment_is_read_in_part() -> None:
    long = {f"FILLER_{number}": "x" * 100_000 for number in range(3)}
    environment = {"FIRST": "a=b", **long, "LAST": "c"}
    with subprocess.Popen(
        ["sh", "-c", "echo; read _"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        found = process.variables(running.pid, (b"FIRST", b"LAST", b"NONE"))
        assert process.command_line(running.pid) == b"sh\0-c\0echo; read _\0"
        assert process.executable(running.pid).rsplit("/", 1)[-1] in ("dash", "bash", "sh")
        running.communicate(b"\n")
    assert found == {b"FIRST": b"a=b"}


def test_cpu_time_is_that_of_all_threads() -> None:
    before = process.cpu_ticks(own_pid())
    thread = threading.Thread(target=lambda: sum(range(3_000_000)))
    started = time.process_time()
    thread.start()
    thread.join()
    spent = (time.process_time() - started) * os.sysconf("SC_CLK_TCK")
    assert abs(process.cpu_ticks(own_pid()) - before - spent) <= 3
