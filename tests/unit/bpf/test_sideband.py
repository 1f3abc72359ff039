"""perf records, as bytes, to changes."""

from __future__ import annotations

import os
import struct

from ebprof.bpf.sideband import Executed, Exited, Forked, Lost, Mapped, parse

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
    (mapped,) = parse(mmap2(7, b"/usr/lib/a b.so", 123))
    assert mapped == Mapped(
        123, 7, 0x7000, 0x2000, 0x1000, os.makedev(8, 1), 99, b"/usr/lib/a b.so\0"
    )


def test_tasks_but_not_threads() -> None:
    data = task(FORK, 7, 1, 7, 10) + task(FORK, 7, 7, 8, 11)
    data += task(EXIT, 7, 1, 8, 12) + task(EXIT, 7, 1, 7, 13)
    assert list(parse(data)) == [Forked(10, 7, 1), Exited(13, 7)]


def test_exec_but_not_a_new_name() -> None:
    name = struct.pack("=II", 7, 7) + b"app\0\0\0\0\0"
    data = record(COMM, name, 20) + record(COMM, name, 21, COMM_EXEC)
    assert list(parse(data)) == [Executed(21, 7)]


def test_losses() -> None:
    assert list(parse(record(LOST, struct.pack("=QQ", 1, 300), 30))) == [Lost(30, 300)]


def test_a_record_that_is_cut_off_ends_it() -> None:
    data = mmap2(7, b"/bin/ls", 1)
    assert len(list(parse(data + data[:6]))) == 1
    assert len(list(parse(data + bytes(8) + data))) == 1
