"""What the options of a target mean."""

from __future__ import annotations

import os
import threading

import pytest

from ebprof.bpf.tasks import Only
from ebprof.errors import NoTargetError, UsageError
from ebprof.procfs import process
from ebprof.sampling.target import Target, check_cpus, parse_cpus, processes_of, scopes
from tests import targets

NO_SUCH_PID = 2**22 + 1
"""Above the kernel's largest PID."""


@pytest.mark.parametrize(
    ("text", "cpus"), [("0", [0]), ("0-3", [0, 1, 2, 3]), ("0,2-3,7", [0, 2, 3, 7]), (" 1\n", [1])]
)
def test_cpu_lists(text: str, cpus: list[int]) -> None:
    assert parse_cpus(text) == cpus


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "-1", "1,,2", "0-99999999999", "1;2", "3-1", "0,3-1"]
)
def test_bad_cpu_lists_name_the_form(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cpus(text)
    assert "0-3,8" in caught.value.hint


def test_a_cpu_that_is_not_there() -> None:
    with pytest.raises(NoTargetError, match="CPU 65000 is not online"):
        check_cpus([65000])


def test_targets_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="-p and -t"):
        Target(pids=(1,), tids=(1,))


def test_a_process_that_is_gone() -> None:
    with pytest.raises(NoTargetError, match=str(NO_SUCH_PID)):
        processes_of(Target(pids=(NO_SUCH_PID,)))


def test_a_thread_that_is_gone() -> None:
    with pytest.raises(NoTargetError, match=str(NO_SUCH_PID)):
        processes_of(Target(tids=(NO_SUCH_PID,)))


def test_a_thread_is_found_in_its_process_and_is_no_process() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        tid = thread.native_id
        assert tid is not None
        assert processes_of(Target(tids=(tid,))) == [os.getpid()]
        with pytest.raises(NoTargetError, match=f"thread of PID {os.getpid()}"):
            processes_of(Target(pids=(tid,)))
    finally:
        done.set()
        thread.join()


def test_a_process_is_watched_by_cpu_as_its_threads_may_be_shorter_than_a_period() -> None:
    found = scopes(Target(pids=(os.getpid(),)), [os.getpid()], by_task=False)
    assert {(scope.pid, scope.inherit) for scope in found} == {(-1, False)}


def test_what_is_counted_by_task_is_watched_by_threads_and_theirs() -> None:
    found = scopes(Target(pids=(os.getpid(),)), [os.getpid()], by_task=True)
    assert os.getpid() in {scope.pid for scope in found}
    assert all(scope.inherit and scope.cpu == -1 for scope in found)


def test_processes_that_are_gone_are_left_out() -> None:
    assert scopes(Target(pids=(os.getpid(),)), [1 << 22], by_task=True) == []


def test_a_thread_is_watched_alone() -> None:
    (scope,) = scopes(Target(tids=(os.getpid(),)), [os.getpid()], by_task=True)
    assert (scope.pid, scope.inherit) == (os.getpid(), False)


@pytest.mark.parametrize("by_task", [False, True])
def test_a_command_is_watched_by_cpu(by_task: bool) -> None:
    found = scopes(Target(command=("true",)), [os.getpid()], by_task=by_task)
    assert {scope.pid for scope in found} == {-1}


@pytest.mark.parametrize(
    ("target", "only"),
    [
        (Target(), Only.ALL),
        (Target(comm="x", cgroup="y"), Only.ALL),
        (Target(pids=(7,)), Only.PROCESSES),
        (Target(pids=(7,), inherit=False), Only.PROCESSES_ALONE),
        (Target(tids=(7,)), Only.THREADS),
        (Target(command=("true",)), Only.PROCESSES),
    ],
)
def test_which_tasks_a_target_means(target: Target, only: Only) -> None:
    assert target.only is only


def test_the_whole_system_is_watched_by_cpu() -> None:
    assert {scope.cpu for scope in scopes(Target(), [], by_task=False)} == set(
        os.sched_getaffinity(0)
    )
    assert {scope.pid for scope in scopes(Target(), [], by_task=False)} == {-1}


def test_a_first_thread_that_has_ended_is_no_target_but_its_process_is() -> None:
    with targets.running("headless") as target:
        assert processes_of(Target(pids=(target.pid,))) == [target.pid]
        other = process.living_thread(target.pid)
        assert other and processes_of(Target(tids=(other,))) == [target.pid]
        with pytest.raises(NoTargetError, match="this thread has ended") as caught:
            processes_of(Target(tids=(target.pid,)))
    assert f"-p {target.pid}" in caught.value.hint
