"""What processes do to their address spaces: each eight bytes are a change that the kernel reports,
of any of four processes, at any place and with any name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from ebprof._native import lib
from ebprof.abi import MAPPING_ENTRY
from ebprof.bpf.sideband import Change, Executed, Exited, Forked, Lost, Mapped, Unmapped
from ebprof.sampling.tracker import Tracker
from tests.unit.unwind.fakes import Stores

FIRST = 1 << 22  # no process has this number
PAGE = 4096
PATHS = (b"//anon\0", b"[vdso]\0", b"/no/such\xff\n;\0", b"/x (deleted)\0\0\0", b"", b"\0")
MOST = 64


def read(data: bytes) -> None:
    """Lists of mappings stay in order, without overlaps, and within their objects."""
    stores = Stores()
    shards, processes = stores.shards, stores.processes
    tracker = Tracker(processes)
    for time, change in enumerate(_changes(data)):
        stores.reported.time_ns = time
        tracker.follow(change)
        tracker.prepare(change.pid if not isinstance(change, Lost) else FIRST, is_current=True)
        tracker.refresh()
    for pid in processes.pids():
        entry = processes.entry(pid)[0]
        words = shards.shard(int(entry["shard"]))[int(entry["at"]) :]
        rows = words[: int(entry["count"]) * lib.MAPPING_WORDS].view(MAPPING_ENTRY)
        assert (rows["start"] < rows["end"]).all()
        assert (rows["start"][1:] >= rows["end"][:-1]).all()
    stores.lists.take_back()
    assert np.count_nonzero([pid < FIRST for pid in processes.pids()]) == 0


def _changes(data: bytes) -> Iterator[Change]:
    for time, (kind, pid, place, pages, name, inode) in enumerate(
        struct.iter_unpack("<BBHHBB", data[: len(data) // 8 * 8][: 8 * MOST])
    ):
        who, start, size = FIRST + pid % 4, place * PAGE, pages * PAGE
        if kind % 8 < 3:
            path = PATHS[name % len(PATHS)]
            yield Mapped(time, who, start, size or PAGE, size, 1, inode, path)
        elif kind % 8 == 3:
            yield Unmapped(time, who, start, size or PAGE)
        elif kind % 8 == 4:
            yield Forked(time, who, FIRST + name % 4)
        elif kind % 8 == 5:
            yield Executed(time, who)
        elif kind % 8 == 6:
            yield Exited(time, who)
        else:
            yield Lost(time, pid)


def seeds() -> Iterator[bytes]:
    """An exec that maps, splits and overlays; a fork; an end."""
    one = struct.Struct("<BBHHBB").pack
    begin = one(5, 0, 0, 0, 0, 0) + one(0, 0, 16, 64, 2, 9)
    yield begin + one(3, 0, 32, 4, 0, 0) + one(1, 0, 24, 16, 0, 0)
    yield begin + one(4, 1, 0, 0, 0, 0) + one(0, 1, 0, 255, 3, 7) + one(6, 0, 0, 0, 0, 0)
    yield begin + one(7, 3, 0, 0, 0, 0) + one(2, 2, 65535, 65535, 1, 0)
