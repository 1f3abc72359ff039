"""A machine without a kernel: processes that come, run and go, and what BPF programs and perf tell.

The maps are those of the other tests; a sample is unwound by what they say at its moment, as the
BPF programs do it. So a run over it has real stores, and its truth is known: the thread's name of
each sample is the name of the file that it ran in.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import (
    COUNTERS,
    DEFERRED_RECORD,
    MAPPING_ENTRY,
    SAMPLE_KEY,
    STACK_RECORD,
    STOP_REASONS,
    UNWIND_RULE,
)
from ebprof.bpf.events import Rate
from ebprof.bpf.records import Records, split
from ebprof.bpf.sideband import Bound, Change, Executed, Exited, Forked, Mapped
from ebprof.errors import NoTargetError
from ebprof.model import Frame, Location, Mapping
from ebprof.procfs import process
from ebprof.procfs.maps import MapsEntry
from ebprof.sampling import intake as intake_module
from ebprof.sampling import run as run_module
from ebprof.sampling import windows as windows_module
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.run import SamplingRun
from ebprof.sampling.source import Sampled
from ebprof.unwind import objects as objects_module
from ebprof.unwind import processes as processes_module
from ebprof.unwind import upkeep as upkeep_module
from ebprof.unwind.compile import FrameCounters, UnwindRows
from ebprof.unwind.object_rows import ObjectRows
from ebprof.walls import Walls
from tests.unit.unwind.fakes import FakeMap, FakeShards

PID = 1 << 22  # no process has this number, or a higher one
PIDS = 3_000
"""So many numbers of processes there are: then they are used again."""
CODE = 0x40_0000
SIZE = 0x1000
JIT = 0x7000_0000
STEP_S = 0.01
"""Between one process and the next."""
_STACK = 0x7FFF_0000_0E00
_RSP = 7
_PAGE = 4096
_COUNTERS = FrameCounters(0, 0, 0, 0, 0, 0, 0, 0, False)


@dataclass
class Clock:
    """Time as all parts of a run see it."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def monotonic_ns(self) -> int:
        return round(self.now * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass(eq=False)
class File:
    """An object file, as far as a run looks at it."""

    number: int
    path: str
    is_open: bool = True

    @property
    def key(self) -> str:
        return self.path

    @property
    def file(self) -> Any:
        return SimpleNamespace(closed=not self.is_open)

    @property
    def image(self) -> Any:
        return SimpleNamespace(code_address=lambda offset: 0x1000)

    def close(self) -> None:
        self.is_open = False


@dataclass
class Symbols:
    """Names an address in a file by the file, one outside of files by who has it as `jit` says.

    known: what it was asked for, by file; jit: a name by process.
    """

    known: dict[str, dict[int, Location]] = field(default_factory=dict)
    jit: dict[int, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def object_locations(self, file: File, addresses: Iterable[int]) -> dict[int, Location]:
        assert file.is_open
        found = {a: Location(a, Mapping(file.path), (Frame(file.path[1:]),)) for a in addresses}
        self.known.setdefault(file.key, {}).update(found)
        return found

    def known_locations(self, key: str, addresses: Iterable[int]) -> dict[int, Location]:
        return {a: self.known[key][a] for a in addresses if a in self.known.get(key, {})}

    def jit_locations(
        self, pid: int, addresses: Iterable[int], is_object: object
    ) -> dict[int, Location]:
        return {a: self._outside(a, self.jit.get(pid, "?")) for a in addresses}

    def debug_file(self, file: File) -> None:
        pass

    def kernel_locations(self, addresses: Iterable[int]) -> dict[int, Location]:
        return {a: self._outside(a, "kernel") for a in addresses}

    def unknown_location(self, address: int) -> Location:
        return self._outside(address, "?")

    def forget_locations(self, key: str) -> None:
        self.known.pop(key, None)

    def forget_process(self, pid: int) -> None:
        self.jit.pop(pid, None)

    def forget_object(self, key: str) -> None:
        pass

    def watch_jit(self, pid: int) -> None:
        pass

    def trim(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _outside(self, address: int, name: str) -> Location:
        return Location(address, Mapping(f"//{name}"), (Frame(name),))


class Session:
    """The BPF side: maps, rings, and a program that samples by what the maps say."""

    hash_seed = 0x1234_5678_9ABC_DEF0
    capacity = 65_536

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.processes = FakeMap()
        self.shards = FakeShards()
        self.rules = np.zeros(lib.MAX_RULES, UNWIND_RULE)
        self.reader = self
        self.jitted = None
        self.fd = os.eventfd(0)
        self.taken = self.deferred = 0
        self._ring: list[bytes] = []
        self._halves: tuple[dict[bytes, int], dict[bytes, int]] = ({}, {})
        self._active = 0

    def sample(self, pid: int, address: int, comm: str) -> None:
        """A thread of a process runs at an address."""
        self.taken += 1
        key = np.zeros(1, SAMPLE_KEY)
        key["pid"] = key["tid"] = pid
        frame = self._frame(pid, address)
        if frame is None:
            self.deferred += 1
            self._ring.append(_deferred(key, comm, address, self._clock.monotonic_ns()))
            return
        key["user_stack"] = _hash(self.hash_seed, frame)
        half = self._halves[self._active]
        if key.tobytes() not in half:
            self._ring.append(_stack(key, comm, frame))
        half[key.tobytes()] = half.get(key.tobytes(), 0) + 1

    def drain(self, bound: Bound) -> Records:
        data, self._ring = b"".join(self._ring), []
        return split(data, bound)

    def take_counts(self) -> tuple[NDArray[Any], NDArray[np.uint64]]:
        half, self._active = self._halves[self._active], 1 - self._active
        keys = np.frombuffer(b"".join(half), SAMPLE_KEY)
        counts = np.fromiter(half.values(), np.uint64, len(half))
        half.clear()
        return keys, counts

    def counters(self) -> dict[str, int]:
        return {one.name: 0 for one in COUNTERS} | {"samples": self.taken, "user": self.taken}

    def stops(self) -> dict[str, int]:
        none = {one.name: 0 for one in STOP_REASONS}
        return none | {"complete": self.taken - self.deferred}

    def run_statistics(self) -> tuple[int, float]:
        return self.taken, 0.0

    def missed_events(self) -> int:
        return 0

    def _frame(self, pid: int, address: int) -> int | None:
        entry = self.processes.get(pid)
        if entry is None or entry["outdated"][0] or not entry["count"][0]:
            return None
        words = self.shards.made[int(entry["shard"][0])][int(entry["at"][0]) :]
        rows = words[: int(entry["count"][0]) * lib.MAPPING_WORDS].view(MAPPING_ENTRY)
        row = rows[(rows["start"] <= address) & (address < rows["end"])]
        if not len(row) or row["kind"][0] == lib.MAPPING_ABSENT:
            return None
        return int((int(row["frame_delta"][0]) + address) % 2**64)


class Machine:
    """What a run has as its source. files: so many are there, each run by some processes in turn.

    Raises nothing, ends never; `live` has processes run.
    """

    members = None
    named: tuple[int, ...] = ()
    exits: frozenset[int] = frozenset()
    is_over = False
    exit_code = 0
    command_cpu_seconds = 0.0
    warnings: tuple[str, ...] = ()
    cpu_seconds = None
    sampled = Sampled("fake-clock", Rate(99, 0), "nanoseconds", 10_101_010)

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> None:
        self.clock = Clock()
        self.random = random.Random(seed)
        self.session = Session(self.clock)
        self.symbols = Symbols()
        self.sideband = self
        self.descriptors: list[int] = []
        self.alive: dict[int, str] = {}
        self.opened = 0
        self.lag_s = 0.0
        self.moved: dict[int, list[int]] = {}  # where else a process has its file, unreported
        self.is_stopped = False
        self._changes: list[Change] = []
        self._mapped: dict[int, int] = {}
        self._next = 0
        timed = objects_module, processes_module, upkeep_module, run_module, intake_module
        for module in (*timed, windows_module):
            monkeypatch.setattr(module, "time", self.clock)
        monkeypatch.setattr(objects_module, "open_named", self._open)
        monkeypatch.setattr(objects_module, "open_object", self._open)
        monkeypatch.setattr(processes_module, "read_maps", self._maps)
        monkeypatch.setattr(objects_module, "frame_sections", lambda image: ())
        monkeypatch.setattr(objects_module, "object_rows", lambda image, _: _rows())
        monkeypatch.setattr(process, "all_processes", lambda: [*self.alive])
        monkeypatch.setattr(process, "cgroups", lambda pid: b"0::/\n")
        monkeypatch.setattr(process, "is_running", self.alive.__contains__)

    def run(self, **options: Any) -> SamplingRun:
        """A run over this machine; its processes have no labels, whoever has their numbers."""
        made = RecordOptions(**options)
        return SamplingRun(cast(Any, self), made, cast(Any, self.symbols), Walls(), lambda pid: ())

    def live(self, steps: int, file_of: Any) -> Iterator[None]:
        """So many processes run, one after the other; each runs the file that `file_of` says.

        Each is sampled when it is new, and again while others are.
        """
        for number in range(steps):
            pid = PID + self._next % PIDS
            self._next += 1
            if pid in self.alive:
                self.exit(pid)
            self.execute(pid, file_of(number))
            self.sample(pid)
            self.sample(self.random.choice(list(self.alive)[-20:]))
            while len(self.alive) > 40:
                self.exit(next(iter(self.alive)))
            yield

    def execute(self, pid: int, file: int) -> None:
        """A process comes into being, and executes a file."""
        name = f"f{file}"
        self.alive[pid] = name
        path = f"/{name}".encode() + b"\0"
        self._mapped[pid] = file
        self._changes += [
            Forked(self._now(), pid, 1),
            Executed(self._now(), pid),
            Mapped(self._now(), pid, CODE, SIZE, 0x1000, 1, file + 1, path),
        ]

    def map_jit(self, pid: int) -> None:
        """A process has memory of its own to execute."""
        self._changes.append(Mapped(self._now(), pid, JIT, SIZE, 0, 0, 0, b"//anon\0"))

    def sample(self, pid: int, address: int = CODE + 0x10) -> None:
        self.clock.now += STEP_S / 2
        self.session.sample(pid, address, self.alive[pid])

    def is_there(self, pid: int, file: int) -> None:
        """A process runs a file, of whose start nobody reported."""
        self.alive[pid] = f"f{file}"
        self._mapped[pid] = file

    def map(self, pid: int, file: int) -> None:
        """A process maps another file where it has code."""
        self.is_there(pid, file)
        path = f"/f{file}".encode() + b"\0"
        self._changes.append(Mapped(self._now(), pid, CODE, SIZE, 0x1000, 1, file + 1, path))
        if pid in self.session.processes:  # the BPF programs notice it
            self.session.processes[pid]["outdated"] = self._now()

    def exit(self, pid: int) -> None:
        self._mapped.pop(pid, None)
        del self.alive[pid]
        self.session.processes.delete(pid)
        self._changes.append(Exited(self._now(), pid))

    # ---- what a run asks of its source ----

    def start(self) -> float:
        return self.clock.now

    def drain(self, bound: Bound) -> list[Change]:
        changes, self._changes = self._changes, []
        return changes

    def tend(self) -> None:
        pass

    def stop(self) -> float:
        self.is_stopped = True
        return self.clock.now

    def detach(self) -> None:
        pass

    def missing(self, taken: int) -> int:
        return 0

    def close(self) -> None:
        os.close(self.session.fd)

    def _now(self) -> int:
        self.clock.now += 1e-6
        return self.clock.monotonic_ns()

    def _maps(self, pid: int) -> list[MapsEntry]:
        """What /proc says; it takes a while to read that."""
        self.clock.now += self.lag_s
        if pid not in self._mapped:
            raise NoTargetError(f"process {pid} does not exist")
        file = self._mapped[pid]
        path = f"/f{file}"
        places = [CODE, *self.moved.get(pid, [])]
        return [MapsEntry(at, at + SIZE, 0x1000, 1, file + 1, path, True, False) for at in places]

    def _open(self, pid: int, entry: Any) -> File:
        self.opened += 1
        return File(entry.inode, entry.path)


def _hash(seed: int, frame: int) -> int:
    name = (seed ^ frame) * 0x9E3779B97F4A7C15 % 2**64
    return name ^ name >> 29


def _stack(key: NDArray[Any], comm: str, frame: int) -> bytes:
    head = np.zeros(1, STACK_RECORD)
    head["type"], head["user_frames"], head["comm"] = lib.RECORD_STACK, 1, comm.encode()
    head["key"] = key
    return head.tobytes() + frame.to_bytes(8, "little")


def _deferred(key: NDArray[Any], comm: str, pc: int, time_ns: int) -> bytes:
    head = np.zeros(1, DEFERRED_RECORD)
    head["head"]["type"], head["head"]["comm"] = lib.RECORD_DEFERRED, comm.encode()
    head["head"]["key"] = key
    size = _PAGE - _STACK % _PAGE
    head["pc"], head["time"], head["stack_size"], head["readable"] = pc, time_ns, size, 1
    head["registers"][0, _RSP] = _STACK
    return head.tobytes() + bytes(size)


def _rows() -> ObjectRows:
    """A function of one rule: its frame is the outermost."""
    dictionary = np.zeros(3, UNWIND_RULE)
    dictionary[1]["cfa_kind"] = lib.CFA_UNSUPPORTED
    dictionary[2]["cfa_kind"], dictionary[2]["cfa_offset"] = lib.CFA_SP, 8
    dictionary[2]["ra_kind"] = lib.RA_UNDEFINED
    offsets, rules = np.array([0, SIZE], np.uint32), np.array([2, 0], np.uint16)
    return ObjectRows(UnwindRows(0x1000, offsets, rules, dictionary, _COUNTERS), 0)
