"""Processes keep the name they had at first sight."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ebprof.abi import OWNER, PROCESS_ID
from ebprof.identity import cgroups, placement
from ebprof.identity import processes as identity
from ebprof.identity.processes import NO_COMM, Processes
from ebprof.procfs import process as procfs
from tests import targets
from tests.unit.traffic.batches import Array, joined, owner, process

NONE = np.zeros(0, PROCESS_ID)


def identify(
    processes: Processes, *known: tuple[Array, Array], wanted: Array | None = None
) -> list[int]:
    """Rows of the wanted ones, by default of the known."""
    ids = joined((one for one, _ in known), PROCESS_ID)
    owners = joined((one for _, one in known), OWNER)
    return processes.identify(ids, owners, ids if wanted is None else wanted).tolist()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        yield started
        started.kill()


def alive(pid: int) -> Array:
    return process(pid, procfs.start_time(pid) & 0xFFFFFFFF)


def test_first_name_wins() -> None:
    processes = Processes()
    first = identify(processes, (process(5), owner("curl")), (process(6), owner("nginx")))
    again = identify(processes, (process(6), owner("other")), (process(5), owner("other")))
    assert first == again[::-1] == [0, 1]
    assert [processes.comm_of(row) for row in first] == ["curl", "nginx"]


def test_number_that_is_given_again_is_another_process() -> None:
    processes = Processes()
    rows = identify(processes, (process(5, 1), owner("old")), (process(5, 2), owner("new")))
    assert [processes.comm_of(row) for row in rows] == ["old", "new"]
    assert processes.pids.tolist() == [5, 5]


def test_a_process_that_executes_another_program_is_another_one() -> None:
    processes = Processes()
    pid = os.getpid()
    start = procfs.start_time(pid) & 0xFFFFFFFF
    before, after = process(pid, start), process(pid, start, execs=1)
    rows = identify(processes, (before, owner("shell")), (after, owner("server")))
    assert [processes.comm_of(row) for row in rows] == ["shell", "server"]
    assert processes.pids.tolist() == [pid, pid]
    placed = {processes.placement_of(row) for row in rows}
    assert placed == {placement.parse_placement(Path("/proc/self/cgroup").read_bytes())}


@pytest.mark.parametrize("in_host", [True, False])
def test_the_name_at_an_exec_is_asked_for_again_where_that_can_be(in_host: bool) -> None:
    processes = Processes(in_host=in_host)
    own = alive(os.getpid())
    identify(processes, (own, owner("at exec", at_exec=True)))
    assert processes.comm_of(0) == (procfs.comm(os.getpid()) if in_host else "at exec")


def test_in_another_namespace_a_pid_is_what_the_kernel_says_it_is_there() -> None:
    processes = Processes(in_host=False)
    inside, outside, lost = process(4711), process(4712), process(4713)
    identify(processes, (inside, owner("in", pid=12)), (outside, owner("out")), wanted=lost)
    assert processes.pids.tolist() == [12, 0, 0]
    assert [processes.comm_of(row) for row in range(3)] == ["in", "out", NO_COMM]


def test_a_process_whose_first_thread_has_ended_keeps_its_cgroup() -> None:
    with targets.running("headless") as child:
        processes = Processes()
        (row,) = identify(processes, wanted=alive(child.pid))
        thread = procfs.living_thread(child.pid)
        own = placement.parse_placement(Path(f"/proc/{thread}/cgroup").read_bytes())
        assert processes.placement_of(row) == own
        assert processes.comm_of(row) == procfs.comm(child.pid)


def test_names_are_untrusted() -> None:
    processes = Processes()
    (row,) = identify(processes, (process(5), owner(b"a\x1b[2J\xff\n")))
    assert processes.comm_of(row) == "a\ufffd[2J\ufffd\ufffd"


def test_process_that_is_gone_is_told_by_the_kernel_alone() -> None:
    processes = Processes()
    (row,) = identify(processes, (process(os.getpid(), start=1), owner("gone")))
    assert processes.comm_of(row) == "gone"
    assert processes.placement_of(row) == placement.UNKNOWN


def test_living_process_that_the_kernel_told_nothing_of(child: subprocess.Popen[bytes]) -> None:
    processes = Processes()
    (row,) = identify(processes, wanted=alive(child.pid))
    assert processes.comm_of(row) == procfs.comm(child.pid)
    own = placement.parse_placement(Path(f"/proc/{child.pid}/cgroup").read_bytes())
    assert processes.placement_of(row) == own
    assert own.paths


def test_process_that_exits_keeps_its_place(child: subprocess.Popen[bytes]) -> None:
    processes = Processes()
    wanted = alive(child.pid)
    (row,) = identify(processes, wanted=wanted)
    before = processes.placement_of(row)
    child.kill()
    child.wait()
    assert identify(processes, wanted=wanted) == [row]
    assert processes.placement_of(row) == before != placement.UNKNOWN


def test_another_process_of_the_number_is_not_asked() -> None:
    processes = Processes()
    start = procfs.start_time(os.getpid()) & 0xFFFFFFFF
    (row,) = identify(processes, wanted=process(os.getpid(), start - 1))
    assert processes.comm_of(row) == NO_COMM
    assert processes.placement_of(row) == placement.UNKNOWN


def test_no_process_at_all() -> None:
    processes = Processes()
    (row,) = identify(processes, wanted=process(0, 0))
    assert (processes.comm_of(row), processes.pids.tolist()) == ("-", [0])


def test_name_that_comes_late_is_taken() -> None:
    processes = Processes()
    (row,) = identify(processes, wanted=process(4_000_000))
    assert identify(processes, (process(4_000_000), owner("late"))) == [row]
    assert processes.comm_of(row) == "late"


def test_wanted_more_than_once_is_one_row() -> None:
    processes = Processes()
    wanted = joined([process(5), process(6), process(5)], PROCESS_ID)
    assert identify(processes, wanted=wanted) == [0, 1, 0]
    assert len(processes) == 2


def test_work_of_a_tick_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MAX_LOOKUPS", 10)
    asked: list[int] = []
    monkeypatch.setattr(
        Processes,
        "_find_placement",
        lambda self, pid, *_: asked.append(pid) or placement.place("/x"),
    )
    processes = Processes()
    known = [(process(pid), owner(f"p{pid}")) for pid in range(1, 26)]
    rows = identify(processes, *known)
    assert asked == [*range(1, 11)]
    assert [processes.comm_of(row) for row in rows] == [f"p{pid}" for pid in range(1, 26)]
    identify(processes)
    identify(processes)
    identify(processes)
    assert asked == [*range(1, 26)]
    assert {processes.placement_of(row).cgroup for row in rows} == {"/x"}


def test_processes_of_one_cgroup_are_looked_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is only cgroup v2, its ID says where all of them are."""
    (tmp_path / "cgroup/web").mkdir(parents=True)
    cgroup_id = (tmp_path / "cgroup/web").stat().st_ino
    (tmp_path / "mounts").write_text(f"cgroup2 {tmp_path / 'cgroup'} cgroup2 rw 0 0\n")
    monkeypatch.setattr(cgroups, "MOUNTS", tmp_path / "mounts")
    asked: list[int] = []
    monkeypatch.setattr(identity, "while_alive", lambda pid, *_: asked.append(pid) or b"0::/web\n")
    processes = Processes()
    rows = identify(processes, *((process(pid), owner("p", cgroup_id)) for pid in range(1, 9)))
    assert asked == [1]
    assert {processes.placement_of(row).cgroup for row in rows} == {"/web"}


def test_gone_process_is_placed_by_its_cgroups_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = "ab" * 32
    place = tmp_path / "cgroup/docker" / container
    place.mkdir(parents=True)
    (tmp_path / "mounts").write_text(f"cgroup2 {tmp_path / 'cgroup'} cgroup2 rw 0 0\n")
    monkeypatch.setattr(cgroups, "MOUNTS", tmp_path / "mounts")
    processes = Processes()
    (row,) = identify(processes, (process(4_000_000), owner("curl", place.stat().st_ino)))
    assert processes.placement_of(row).container == container


def test_kept_processes_keep_their_names() -> None:
    processes = Processes()
    known = [(process(pid), owner(f"p{pid}")) for pid in range(1, 3001)]
    rows = np.array(identify(processes, *known))
    processes.keep(rows[::100])
    assert len(processes) == 30
    assert processes.pids.tolist() == [*range(1, 3001, 100)]
    assert processes.comm_of(29) == "p2901"
    assert identify(processes, wanted=process(101)) == [1]
    assert identify(processes, (process(7), owner("again"))) == [30]
    assert processes.comm_of(30) == "again"


def test_processes_that_wait_to_be_looked_up_still_do_when_others_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity, "MAX_LOOKUPS", 10)
    monkeypatch.setattr(
        Processes, "_find_placement", lambda self, pid, *_: placement.place(f"/{pid}")
    )
    processes = Processes()
    rows = identify(processes, *((process(pid), owner("p")) for pid in range(1, 21)))
    processes.keep(np.array(rows[5:]))
    identify(processes)
    found = [processes.placement_of(row).cgroup for row in range(len(processes))]
    assert found == [f"/{pid}" for pid in range(6, 21)]
