"""perf records, as bytes, to changes."""

from __future__ import annotations

import os
import struct

from ebprof._native import ffi, lib
from ebprof.bpf.sideband import (
    MOST_TOLD,
    Bound,
    Executed,
    Exited,
    Forked,
    Lost,
    Mapped,
    Overrun,
    ProcessSet,
    parse,
)

MMAP2, COMM, FORK, EXIT, LOST = 10, 3, 7, 4, 2
COMM_EXEC = 1 << 13


def record(kind: int, body: bytes, time: int, misc: int = 0) -> bytes:
    """A record with its time at its end."""
    body += struct.pack("=Q", time)
    return struct.pack("=IHH", kind, misc, 8 + len(body)) + body


def mmap2(pid: int, path: bytes, time: int) -> bytes:
    """An executable mapping of a file on device 8:1."""
    head = struct.pack("=IIQQQIIQQII", pid, pid, 0x7000, 0x2000, 0x1000, 8, 1, 99, 5, 5, 2)
    return record(MMAP2, head + path.ljust(-(-(len(path) + 1) // 8) * 8, b"\0"), time)


def task(kind: int, pid: int, parent: int, tid: int, time: int) -> bytes:
    """fork or exit, which carry their time twice."""
    return record(kind, struct.pack("=IIIIQ", pid, parent, tid, parent, time), time)


def test_mappings() -> None:
    (mapped,) = parse(mmap2(7, b"/usr/lib/a b.so", 123), Bound())
    assert mapped == Mapped(
        123, 7, 0x7000, 0x2000, 0x1000, os.makedev(8, 1), 99, b"/usr/lib/a b.so\0"
    )


def test_tasks_but_not_threads() -> None:
    data = task(FORK, 7, 1, 7, 10) + task(FORK, 7, 7, 8, 11)
    data += task(EXIT, 7, 1, 8, 12) + task(EXIT, 7, 1, 7, 13)
    assert list(parse(data, Bound())) == [Forked(10, 7, 1), Exited(13, 7)]


def test_exec_but_not_a_new_name() -> None:
    name = struct.pack("=II", 7, 7) + b"app\0\0\0\0\0"
    data = record(COMM, name, 20) + record(COMM, name, 21, COMM_EXEC)
    assert list(parse(data, Bound())) == [Executed(21, 7)]


def test_losses() -> None:
    lost = record(LOST, struct.pack("=QQ", 1, 300), 30)
    assert list(parse(lost, Bound(), 9)) == [Lost(30, 300, 9)]
    assert list(parse(task(FORK, 7, 7, 8, 11) + lost, Bound(), 9)) == [Lost(30, 300, 11)]


def test_a_record_that_is_cut_off_ends_it() -> None:
    data = mmap2(7, b"/bin/ls", 1)
    assert len(list(parse(data + data[:6], Bound()))) == 1
    assert len(list(parse(data + bytes(8) + data, Bound()))) == 1


PAGE = os.sysconf("SC_PAGESIZE")
RING_PAGES = 2


class Ring:
    """perf's ring in our own memory; `put` is the kernel."""

    def __init__(self, start: int = 0) -> None:
        self.memory = ffi.new("uint8_t[]", (1 + RING_PAGES) * PAGE)
        self.handle = ffi.new("struct sideband_ring *", {"base": self.memory, "pages": RING_PAGES})
        self.head = start
        self._point(HEAD, start)
        self._point(TAIL, start)

    def _point(self, at: int, value: int) -> None:
        ffi.buffer(self.memory)[at : at + 8] = struct.pack("=Q", value)

    def put(self, *records: bytes) -> None:
        for data in records:
            for byte in data:
                self.memory[PAGE + self.head % (RING_PAGES * PAGE)] = byte
                self.head += 1
        self._point(HEAD, self.head)


HEAD, TAIL = 1024, 1032  # data_head, data_tail in struct perf_event_mmap_page


def drain(rings: list[Ring], members: ProcessSet | None) -> list[object]:
    """As Sideband does, over these rings."""
    found: list[object] = []
    buffer, copied = ffi.new("uint8_t[]", 1 << 16), ffi.new("size_t *")
    for ring in rings:
        lib.sideband_limit(ring.handle)
    if members is not None:
        members.follow([ring.handle for ring in rings])
    for ring in rings:
        wanted = ffi.NULL if members is None else members.handle
        lib.sideband_drain(ring.handle, wanted, buffer, 1 << 16, copied)
        found.extend(parse(bytes(ffi.buffer(buffer, copied[0])), Bound()))
    return found


def fork(child: int, parent: int, time: int = 1) -> bytes:
    return task(FORK, child, parent, child, time)


def ended(pid: int) -> bytes:
    return task(EXIT, pid, 1, pid, 9)


def pids(changes: list[object]) -> list[int]:
    return [change.pid for change in changes]  # type: ignore[attr-defined]


def test_only_members_are_reported() -> None:
    ring = Ring()
    ring.put(ended(7), ended(8), mmap2(7, b"/a", 1), record(LOST, struct.pack("=QQ", 1, 3), 2))
    found = drain([ring], ProcessSet([7]))
    assert [type(one) for one in found] == [Exited, Mapped, Lost]
    assert pids(found[:2]) == [7, 7]


def test_without_a_set_all_are_reported() -> None:
    ring = Ring()
    ring.put(ended(7), ended(8))
    assert pids(drain([ring], None)) == [7, 8]


def test_descendants_are_members_whatever_ring_their_forks_are_in() -> None:
    one, two, three = Ring(), Ring(), Ring()
    one.put(ended(22))
    two.put(fork(22, 21))
    three.put(fork(21, 7), fork(31, 30), ended(31))
    assert pids(drain([one, two, three], ProcessSet([7]))) == [22, 22, 21]


def test_a_fork_behind_the_limit_is_seen_as_its_child_may_be_reported_before_it() -> None:
    one, two = Ring(), Ring()
    one.put(ended(21))
    members = ProcessSet([7])
    lib.sideband_limit(one.handle)
    lib.sideband_limit(two.handle)
    two.put(fork(21, 7))
    members.follow([one.handle, two.handle])
    buffer, copied = ffi.new("uint8_t[]", 4096), ffi.new("size_t *")
    lib.sideband_drain(one.handle, members.handle, buffer, 4096, copied)
    assert pids(list(parse(bytes(ffi.buffer(buffer, copied[0])), Bound()))) == [21]
    assert pids(drain([one, two], members)) == [21]  # the fork itself, once


def test_a_number_that_somebody_elses_child_gets_is_no_member_any_more() -> None:
    ring = Ring()
    members = ProcessSet([7])
    ring.put(fork(21, 7))
    assert pids(drain([ring], members)) == [21]
    ring.put(fork(21, 5), ended(21))
    assert drain([ring], members) == []


def test_records_go_on_at_the_start_of_the_ring() -> None:
    ring = Ring(start=RING_PAGES * PAGE - 28)
    ring.put(fork(21, 7), ended(21), ended(8))
    assert pids(drain([ring], ProcessSet([7]))) == [21, 21]


def test_numbers_that_no_process_can_have_are_nobodys() -> None:
    ring = Ring()
    ring.put(fork(0xFFFFFFFF, 7), ended(0xFFFFFFFF), fork(9, 0xFFFFFFFF))
    assert drain([ring], ProcessSet([7])) == []


def test_of_one_process_no_more_is_told_than_anybody_can_follow() -> None:
    told = [mmap2(7, b"/a", time) for time in range(MOST_TOLD + 3)]
    bound = Bound()
    found = list(parse(b"".join(told) + mmap2(8, b"/b", 9), bound))
    mapped = [one.pid for one in found if isinstance(one, Mapped)]
    assert (mapped.count(7), mapped.count(8)) == (MOST_TOLD, 1)
    assert found[-2:] == [Overrun(MOST_TOLD, 7), Overrun(MOST_TOLD + 2, 7)]
    assert list(parse(mmap2(7, b"/a", 999), bound)) == [Overrun(999, 7)] * 2, "nobody followed it"
    bound.renew()
    assert [one.time for one in parse(mmap2(7, b"/a", 1000), bound)] == [1000]
