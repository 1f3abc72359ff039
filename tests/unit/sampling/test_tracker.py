"""What is known of processes that come, change and are gone before they are looked at."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import MAPPING_ENTRY
from ebprof.bpf.sideband import Executed, Exited, Forked, Lost, Mapped, Overrun
from ebprof.elf import ElfImage
from ebprof.sampling import tracker as tracker_module
from ebprof.sampling.tracker import Tracker
from tests.unit.unwind.fakes import Stores

GONE = 1 << 22  # no process has this number
PARENT = GONE + 1
BASE = 0x7F00_0000_0000


class World(Stores):
    """A tracker over real stores, without the kernel."""

    def __init__(self, *, shards: int = lib.MAX_SHARDS) -> None:
        super().__init__(shards)
        self.tracker = Tracker(self.processes)

    def follow(self, *changes: Any) -> None:
        for change in changes:
            self.tracker.follow(change)

    def load(self, pid: int) -> None:
        """Read a process, and let that count."""
        self.tracker.read(pid)
        self.tracker.adopt(math.inf)

    def ranges(self, pid: int) -> list[tuple[int, int]]:
        """Where a process has mappings, as BPF programs would see it."""
        return [(int(row["start"]), int(row["end"])) for row in self.rows(pid)]

    def rows(self, pid: int) -> NDArray[Any]:
        entry = self.processes.entry(pid)[0]
        if not entry["count"]:
            return np.zeros(0, MAPPING_ENTRY)
        words = self.shards.shard(int(entry["shard"]))[int(entry["at"]) :]
        return words[: int(entry["count"]) * lib.MAPPING_WORDS].view(MAPPING_ENTRY)


def anonymous(pid: int, start: int, size: int = 0x1000) -> Mapped:
    """JIT memory."""
    return Mapped(0, pid, start, size, 0, 0, 0, b"//anon\0\0")


def library() -> Path:
    """A shared object that this process has mapped."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return Path(next(line.split()[-1] for line in maps if "libc.so" in line))


def of_file(path: Path, pid: int = GONE, inode: int | None = None) -> Mapped:
    """The executable mapping of an object file."""
    info = path.stat()
    with path.open("rb", buffering=0) as file:
        code = next(part for part in ElfImage(file).segments if part.executable)
    size = -(-code.memory_size // 4096) * 4096
    number = info.st_ino if inode is None else inode
    name = os.fsencode(path) + b"\0\0"
    return Mapped(0, pid, BASE, size, code.offset // 4096 * 4096, info.st_dev, number, name)


def test_a_process_that_is_gone_is_known_from_what_was_reported() -> None:
    world = World()
    world.follow(Executed(1, GONE), of_file(library()))
    world.tracker.prepare(GONE, is_current=False)
    assert set(world.rows(GONE)["kind"]) == {lib.MAPPING_ABSENT}
    world.processes.complete(GONE)
    assert lib.MAPPING_TABLE in world.rows(GONE)["kind"]
    assert world.objects.all()[0].file.path == str(library())
    assert GONE not in world.map


def test_a_file_that_is_another_by_now_is_not_opened() -> None:
    world = World()
    world.follow(Executed(1, GONE), of_file(library(), inode=1))
    world.tracker.prepare(GONE, is_current=False)
    assert world.rows(GONE)["kind"].tolist() == [lib.MAPPING_NO_TABLE]
    assert world.objects.all() == []


def test_a_fifo_is_not_opened(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    info = fifo.stat()
    name = os.fsencode(fifo) + b"\0"
    world = World()
    mapped = Mapped(0, GONE, BASE, 0x1000, 0, info.st_dev, info.st_ino, name)
    world.follow(Executed(1, GONE), mapped)
    world.tracker.prepare(GONE, is_current=False)
    assert world.objects.all() == []
    assert world.objects.unreadable == 1


def test_a_list_that_finds_no_room_is_counted() -> None:
    world = World(shards=0)
    world.load(os.getpid())
    assert world.ranges(os.getpid()) == []
    assert world.processes.cut == 1


def test_a_child_begins_with_what_its_parent_has() -> None:
    world = World()
    world.follow(Executed(1, PARENT), anonymous(PARENT, 0x1000), Forked(2, GONE, PARENT))
    world.follow(anonymous(GONE, 0x8000))
    for pid in (GONE, PARENT):
        world.tracker.prepare(pid, is_current=False)
    assert world.ranges(GONE) == [(0x1000, 0x2000), (0x8000, 0x9000)]
    assert world.ranges(PARENT) == [(0x1000, 0x2000)]


def test_a_child_of_a_known_process_shares_its_list() -> None:
    world = World()
    world.follow(Executed(1, PARENT), anonymous(PARENT, 0x1000))
    world.tracker.prepare(PARENT, is_current=True)
    world.map[GONE] = world.map[PARENT].copy()  # what the BPF side does at a fork
    world.follow(Forked(2, GONE, PARENT))
    assert world.map[GONE] == world.map[PARENT]
    assert world.ranges(GONE) == [(0x1000, 0x2000)]
    world.follow(Exited(3, GONE))
    assert GONE not in world.map and world.ranges(GONE) == []
    assert world.ranges(PARENT) == [(0x1000, 0x2000)]


def test_a_child_gets_its_parents_list_of_the_time() -> None:
    world = World()
    world.follow(Executed(1, PARENT), anonymous(PARENT, 0x1000))
    world.tracker.prepare(PARENT, is_current=True)
    world.map[GONE] = world.map[PARENT].copy()
    world.follow(anonymous(PARENT, 0x8000))
    world.tracker.refresh()  # the list that the child was given is about to go
    world.follow(Forked(2, GONE, PARENT))
    assert world.map[GONE] == world.map[PARENT]


def test_exec_forgets_what_was() -> None:
    world = World()
    world.follow(Executed(1, GONE), anonymous(GONE, 0x1000))
    world.tracker.prepare(GONE, is_current=True)
    assert world.map[GONE]["count"][0] == 1
    world.follow(Executed(2, GONE))
    assert (world.map[GONE]["count"][0], world.map[GONE]["outdated"][0] > 0) == (0, True)
    world.follow(anonymous(GONE, 0x5000))
    world.tracker.prepare(GONE, is_current=True)
    assert world.ranges(GONE) == [(0x5000, 0x6000)]


def test_new_mappings_replace_what_they_cover() -> None:
    world = World()
    world.follow(Executed(1, GONE), anonymous(GONE, 0x1000, 0x5000), anonymous(GONE, 0x8000))
    world.tracker.prepare(GONE, is_current=True)
    world.follow(anonymous(GONE, 0x2000), anonymous(GONE, 0x5000, 0x4000))
    world.tracker.refresh()
    assert world.ranges(GONE) == [
        (0x1000, 0x2000),
        (0x2000, 0x3000),
        (0x3000, 0x5000),
        (0x5000, 0x9000),
    ]


def test_a_process_that_was_there_before_is_read_when_it_is_needed() -> None:
    world = World()
    world.follow(anonymous(os.getpid(), 0x1000))
    assert world.ranges(os.getpid()) == []
    world.load(os.getpid())
    assert len(world.ranges(os.getpid())) > 3


def test_after_a_loss_reports_are_not_relied_on() -> None:
    world = World()
    world.follow(Executed(1, GONE), anonymous(GONE, 0x1000), Lost(2, 7))
    world.tracker.prepare(GONE, is_current=True)
    assert world.ranges(GONE) == []
    assert world.tracker.lost == 7


def test_a_loss_does_not_harm_processes_in_which_nothing_changed() -> None:
    """They are read again, as not all changes are seen; until then they are as they were."""
    world = World()
    for pid in (GONE, GONE + 1):
        world.follow(Executed(1, pid), anonymous(pid, 0x1000))
        world.tracker.prepare(pid, is_current=True)
    now = time.monotonic_ns()
    world.map[GONE]["mapped"] = now
    unharmed = world.processes.unchanged_since(now - 1)
    assert unharmed == {GONE + 1}
    assert world.processes.unchanged_since(1) == set(), "nobody watched them then"
    world.follow(Lost(now, 7, now - 1, unharmed))
    assert [world.tracker.is_behind(pid) for pid in (GONE, GONE + 1)] == [True, False]
    assert world.tracker.is_awaited(GONE + 1)


def test_a_process_of_which_not_all_is_told_is_read_again() -> None:
    world = World()
    for pid in (GONE, GONE + 1):
        world.follow(Executed(1, pid), anonymous(pid, 0x1000))
        world.tracker.prepare(pid, is_current=True)
    world.follow(anonymous(GONE, 0x9000), Overrun(2, GONE))
    assert world.tracker.is_behind(GONE) and world.tracker.is_awaited(GONE)
    assert not world.tracker.is_behind(GONE + 1)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_module, "MAX_NEW_PROCESSES", 3)
    monkeypatch.setattr(tracker_module, "MAX_NEW_MAPPINGS", 4)
    world = World()
    for pid in range(GONE, GONE + 5):
        world.follow(Executed(1, pid), anonymous(pid, 0x1000))
    for number in range(5):
        world.follow(anonymous(GONE + 4, 0x10000 * (number + 1)))
    for pid in range(GONE, GONE + 5):
        world.tracker.prepare(pid, is_current=False)
    known = [pid - GONE for pid in range(GONE, GONE + 5) if pid in world.processes]
    assert known == [2, 3]


def test_settled_until_the_list_changes() -> None:
    world = World()
    world.follow(Executed(1, GONE), anonymous(GONE, 0x1000))
    world.tracker.prepare(GONE, is_current=True)
    world.processes.settle(GONE)
    assert world.map[GONE]["settled"][0] == 1
    world.follow(anonymous(GONE, 0x8000))
    world.tracker.refresh()
    assert world.map[GONE]["settled"][0] == 0


def test_reading_the_same_again_settles_nothing_anew() -> None:
    world = World()
    world.load(os.getpid())
    world.processes.settle(os.getpid())
    world.load(os.getpid())
    assert world.map[os.getpid()]["settled"][0] == 1


def test_a_process_that_cannot_be_known_is_settled_too() -> None:
    world = World()
    world.processes.settle(GONE)
    assert (world.map[GONE]["count"][0], world.map[GONE]["settled"][0]) == (0, 1)
    world.follow(Exited(1, GONE))
    assert GONE not in world.map


class Slow:
    """Processes that take a while to read, by a clock of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes_s: float) -> None:
        self.now = 1000.0
        self.takes_s = takes_s
        self.read: list[int] = []
        self.world = World()
        monkeypatch.setattr(tracker_module, "time", self)
        monkeypatch.setattr(self.world.processes, "read", self.read_one)
        for pid in range(GONE, GONE + 100):
            self.world.follow(Executed(0, pid), anonymous(pid, BASE))
            self.world.tracker.prepare(pid, is_current=True)

    def monotonic(self) -> float:
        return self.now

    def read_one(self, pid: int) -> int:
        self.now += self.takes_s
        self.read.append(pid)
        return 1


@pytest.mark.parametrize(("is_named", "share"), [(False, 1 / 21), (True, 1 / 4)])
def test_a_process_that_takes_long_to_read_is_read_seldom(
    is_named: bool, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The less so if samples of it are wanted."""
    slow = Slow(monkeypatch, 0.1)
    tracker = slow.world.tracker
    tracker.prefer([GONE] if is_named else [])
    for _ in range(1000):
        slow.world.load(GONE)
        tracker.refresh()
        slow.now += 0.01
    spent = slow.takes_s * len(slow.read)
    assert 0.7 * share < spent / (slow.now - 1000) < 1.3 * share
    tracker.follow(Exited(0, GONE))
    before = len(slow.read)
    slow.world.load(GONE)
    slow.world.load(GONE)
    assert len(slow.read) == before + 2  # it is another process, of which nothing is known yet


def test_many_that_take_long_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch, 0.1)
    tracker = slow.world.tracker
    tracker.refresh()
    tracker.notice([(GONE + number, 1) for number in range(100)])
    assert len(slow.read) == 3
    for _ in range(50):
        before = slow.now
        tracker.refresh()
        tracker.adopt(math.inf)
        assert slow.now - before < tracker_module.READING_S + slow.takes_s
        slow.now += 0.05
    assert len(set(slow.read)) == 100


def test_quick_ones_are_read_whenever_they_are_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch, 0.001)
    for _ in range(100):
        slow.world.load(GONE)
    assert len(slow.read) == 100
