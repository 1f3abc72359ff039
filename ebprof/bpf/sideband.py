"""perf's side band: what processes do to their address spaces, as it happens.

Records are those of perf_event_open(2): PERF_RECORD_MMAP2, COMM, FORK, EXIT and LOST, each with its
time at its end (sample_id_all).
"""

from __future__ import annotations

import errno
import os
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ebprof._native import ffi, lib
from ebprof.bpf import rights
from ebprof.errors import NoPermissionError

RING_PAGES = 128
BUFFER_SIZE = 1 << 20
MOST_TOLD = 256
"""Of what one process maps and unmaps, until that is followed."""
MAX_PIDS = 1 << 22
"""The largest that kernel.pid_max can be (PID_MAX_LIMIT)."""

_HEADER = struct.Struct("=IHH")
_IDS = struct.Struct("=IIII")  # pid, ppid (or, in COMM and MMAP2, tid), ...
_MMAP2 = struct.Struct("=IIQQQIIQQII")  # pid, tid, addr, len, pgoff, maj, min, ino, ...
_PAIR = struct.Struct("=II")
_LOST = struct.Struct("=QQ")
_TIME = struct.Struct("=Q")
_LOST_TYPE, _COMM_TYPE, _EXIT_TYPE, _FORK_TYPE, _MMAP2_TYPE = 2, 3, 4, 7, 10
_MISC_COMM_EXEC = 1 << 13


@dataclass(frozen=True, slots=True)
class Mapped:
    """A process mapped executable memory at [start, start + size).

    offset: in the file. path: as the process sees it, NUL-padded; `//anon` and `[vdso]` have no
    inode.
    """

    time: int
    pid: int
    start: int
    size: int
    offset: int
    device: int
    inode: int
    path: bytes


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Nothing is mapped at [start, start + size) of a process any more; BPF programs noticed it."""

    time: int
    pid: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Forked:
    """A process came into being (not a thread)."""

    time: int
    pid: int
    parent: int


@dataclass(frozen=True, slots=True)
class Executed:
    """A process replaced its address space by exec."""

    time: int
    pid: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The first thread of a process ended, and mostly the process with it."""

    time: int
    pid: int


@dataclass(frozen=True, slots=True)
class Lost:
    """So many records did not fit into the ring of a CPU.

    since: time of the record before them, 0 if there was none. unharmed: processes of which none
    is among them, as far as others told.
    """

    time: int
    count: int
    since: int = 0
    unharmed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Overrun:
    """A process maps or unmaps more than is told one by one."""

    time: int
    pid: int


Change = Mapped | Unmapped | Overrun | Forked | Executed | Exited | Lost
"""What happened at a `time`: CLOCK_MONOTONIC, ns."""


class Bound:
    """Bounds what is told of one process at a time: we would do nothing but listen to it."""

    def __init__(self) -> None:
        self._told: Counter[int] = Counter()
        self._left_out: dict[int, tuple[int, int]] = {}

    def renew(self) -> None:
        """What was told is followed: as much may be told of each once more."""
        self._told.clear()

    def admits(self, pid: int, time_ns: int) -> bool:
        """Whether to tell of one more thing that a process has done, at a time."""
        self._told[pid] += 1
        if self._told[pid] <= MOST_TOLD:
            return True
        first, _ = self._left_out.get(pid, (time_ns, time_ns))
        self._left_out[pid] = first, time_ns
        return False

    def overruns(self) -> Iterator[Overrun]:
        """Two for each process of which something was left out since the last call: as that begins,
        and as it ends.
        """
        left_out, self._left_out = self._left_out, {}
        for pid, times in left_out.items():
            yield from (Overrun(time, pid) for time in times)


class Sideband:
    """A ring a CPU; `descriptors` become readable when there is something to `drain`.

    pids: only what these processes do, and those that descend from them; None: what all do.
    """

    def __init__(self, cpus: Iterable[int], pids: Iterable[int] | None = None) -> None:
        self.descriptors: list[int] = []
        self._members = None if pids is None else ProcessSet(pids)
        self._rings: list[object] = []
        self._last: list[int] = []
        """Time of the last record in each ring."""
        self._buffer = ffi.new("uint8_t[]", BUFFER_SIZE)
        self._cleanup = ExitStack()
        try:
            for cpu in cpus:
                self._open(cpu)
        except BaseException:
            self.close()
            raise

    def _open(self, cpu: int) -> None:
        fd = lib.sideband_open(cpu)
        if fd < 0:
            is_refused = -fd in (errno.EACCES, errno.EPERM)
            raise NoPermissionError(
                f"cannot watch processes on CPU {cpu}: {os.strerror(-fd)}",
                rights.advice(rights.PARANOID) if is_refused else "",
            )
        self._cleanup.callback(os.close, fd)
        ring = ffi.new("struct sideband_ring *")
        error = lib.sideband_map(fd, RING_PAGES, ring)
        if error:
            raise NoPermissionError(
                f"cannot map a perf ring of {RING_PAGES} pages: {os.strerror(-error)}",
                "raise kernel.perf_event_mlock_kb",
            )
        self._cleanup.callback(lib.sideband_unmap, ring)
        self.descriptors.append(fd)
        self._rings.append(ring)
        self._last.append(0)

    def add(self, pids: Iterable[int]) -> None:
        """Report what these processes do as well."""
        if self._members is not None:
            self._members.add(pids)

    def drain(self, bound: Bound) -> list[Change]:
        """Everything since the last call, a CPU after the other: not in the order of time."""
        for ring in self._rings:
            lib.sideband_limit(ring)
        if self._members is not None:
            self._members.follow(self._rings)
        wanted = ffi.NULL if self._members is None else self._members.handle
        changes: list[Change] = []
        copied = ffi.new("size_t *")
        for number, ring in enumerate(self._rings):
            lib.sideband_drain(ring, wanted, self._buffer, BUFFER_SIZE, copied)
            data = bytes(ffi.buffer(self._buffer, copied[0]))
            found = list(parse(data, bound, self._last[number]))
            self._last[number] = max((one.time for one in found), default=self._last[number])
            changes += found
        return changes

    def close(self) -> None:
        """Close the events."""
        self._cleanup.close()


class ProcessSet:
    """Processes whose records are wanted; handle: struct process_set."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._bits = ffi.new("uint8_t[]", MAX_PIDS // 8)
        self.handle = ffi.new("struct process_set *", {"bits": self._bits, "size": MAX_PIDS})
        self.add(pids)

    def add(self, pids: Iterable[int]) -> None:
        """Make these processes members."""
        for pid in pids:
            self._bits[pid // 8] |= 1 << pid % 8

    def follow(self, rings: Sequence[object]) -> None:
        """Take in the forks that rings hold."""
        for ring in rings:
            lib.sideband_clear(ring, self.handle)
        while sum(lib.sideband_follow(ring, self.handle) for ring in rings):
            pass


def parse(data: bytes, bound: Bound, since: int = 0) -> Iterator[Change]:
    """The changes that perf records (back to back) tell of; others are passed over.

    since: time of the record before them.
    """
    at = 0
    while at + _HEADER.size <= len(data):
        kind, misc, size = _HEADER.unpack_from(data, at)
        if size < _HEADER.size:
            return
        body, end = at + _HEADER.size, at + size - _TIME.size
        (time,) = _TIME.unpack_from(data, end)
        if kind == _MMAP2_TYPE:
            if bound.admits(_PAIR.unpack_from(data, body)[0], time):
                yield _mapped(data, body, end)
        elif kind == _COMM_TYPE and misc & _MISC_COMM_EXEC:
            yield Executed(time, _PAIR.unpack_from(data, body)[0])
        elif kind in (_FORK_TYPE, _EXIT_TYPE):
            pid, parent, tid, _ = _IDS.unpack_from(data, body)
            if kind == _FORK_TYPE and pid != parent:
                yield Forked(time, pid, parent)
            elif kind == _EXIT_TYPE and pid == tid:
                yield Exited(time, pid)
        elif kind == _LOST_TYPE:
            yield Lost(time, _LOST.unpack_from(data, body)[1], since)
        since = time
        at += size
    yield from bound.overruns()


def _mapped(data: bytes, body: int, end: int) -> Mapped:
    pid, _, start, size, offset, major, minor, inode, *_ = _MMAP2.unpack_from(data, body)
    return Mapped(
        time=_TIME.unpack_from(data, end)[0],
        pid=pid,
        start=start,
        size=size,
        offset=offset,
        device=os.makedev(major, minor),
        inode=inode,
        path=data[body + _MMAP2.size : end],
    )
