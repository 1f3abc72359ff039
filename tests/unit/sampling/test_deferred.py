"""Deferred samples: unwound by what their process has mapped, with its code where that matters."""

from __future__ import annotations

import mmap
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ebprof.abi import DEFERRED_RECORD
from ebprof.bpf.records import DeferredSample
from ebprof.bpf.sideband import Executed
from ebprof.elf import ElfImage
from ebprof.sampling.deferred import DeferredSamples
from ebprof.sampling.stacks import NewStack, StackStore
from ebprof.symbolize.symtab import functions_with
from ebprof.unwind.replay import Replayer
from tests.unit.sampling.test_tracker import BASE, World, anonymous, library, of_file
from tests.unit.unwind.test_replay import JIT, STACK, WORK, by_number, jitted, record
from tests.unit.unwind.test_replay import LEAF as LEAF_AT

CALLER, LEAF = 8, LEAF_AT - JIT
"""Where the code of `jitted` has a return address, less one, and a leaf without a frame."""


class Memory:
    """Executable memory of this process with `jitted` in it; counts how often it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        self.map = mmap.mmap(-1, 2 * mmap.PAGESIZE, prot=protection)
        self.map.seek(mmap.PAGESIZE)  # what is before a return address is looked at too
        self.map.write(jitted(WORK)[JIT])
        self.start = int(np.frombuffer(self.map, np.uint8).ctypes.data) + mmap.PAGESIZE
        self.opened: list[str] = []
        real = os.open

        def open_counted(path: str, flags: int) -> int:
            if path.endswith("/mem"):
                self.opened.append(path)
            return real(path, flags)

        monkeypatch.setattr(os, "open", open_counted)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    return Memory(monkeypatch)


class Samples:
    """Counts samples of this process, known to have mapped the memory, and libc at BASE."""

    def __init__(self, memory: Memory) -> None:
        self._world = World()
        pid = os.getpid()
        other = replace(of_file(library().parent / "libm.so.6", pid), start=BASE + (1 << 30))
        maps = [anonymous(pid, memory.start), of_file(library(), pid), other]
        self._world.follow(Executed(1, pid), *maps)
        replayer = Replayer(self._world.shards, self._world.tables.rules.rules, hash_seed=1)
        self._samples = DeferredSamples(
            replayer, self._world.processes, self._world.tracker, StackStore(0)
        )

    def count(self, pc: int, words: list[int], rbp: int, *, is_current: bool = True) -> NewStack:
        stack = np.array(words, np.uint64).tobytes()
        data = record(pc, stack, by_number({"rsp": STACK, "rbp": rbp}))
        head = np.frombuffer(data, DEFERRED_RECORD, 1).copy()
        head["head"]["key"]["pid"] = os.getpid()
        sample = DeferredSample(1, os.getpid(), head[0], data)
        (counted,) = self._samples.count(sample, is_current=is_current)
        return counted

    def tables(self) -> dict[str, bool]:
        """Whether there is a table, by file."""
        self._world.tracker.prepare(os.getpid(), is_current=True)
        return {Path(o.file.path).name: o.table is not None for o in self._world.objects.all()}

    @property
    def stops(self) -> dict[str, int]:
        return {name: n for name, n in self._samples.stops().items() if n}


def test_code_is_read_where_the_stack_depends_on_it(memory: Memory) -> None:
    """A leaf without a frame: only its code says that its caller is on the stack."""
    samples = Samples(memory)
    words = [memory.start + CALLER + 1, 0, 0]
    _, frames, _ = samples.count(memory.start + LEAF, words, rbp=STACK + 8)
    assert memory.opened == [f"/proc/{os.getpid()}/mem"]
    assert len(frames) == 2, samples.stops
    assert samples.stops == {"complete": 1}


def test_code_is_not_read_where_it_is_known(memory: Memory) -> None:
    samples = Samples(memory)
    _, frames, _ = samples.count(BASE + code_of_libc(), [0] * 64, rbp=0)
    assert memory.opened == []
    assert samples.stops == {"complete": 1}
    assert len(frames) == 1


def test_tables_are_made_of_what_samples_meet(memory: Memory) -> None:
    """Not of all that their process has mapped."""
    samples = Samples(memory)
    assert samples.tables() == {"libc.so.6": False, "libm.so.6": False}
    samples.count(BASE + code_of_libc(), [0] * 64, rbp=0)
    assert samples.tables() == {"libc.so.6": True, "libm.so.6": False}


def test_code_is_not_read_from_what_took_the_place_of_the_process(memory: Memory) -> None:
    samples = Samples(memory)
    words = [memory.start + CALLER + 1, 0, 0]
    samples.count(memory.start + LEAF, words, rbp=STACK + 8, is_current=False)
    assert memory.opened == []


def code_of_libc() -> int:
    """Where a function is in libc's code, which has unwind rows."""
    with library().open("rb", buffering=0) as file:
        image = ElfImage(file)
        (function,) = functions_with(image, None, "getpid", 1)
        code = next(part for part in image.segments if part.executable)
        return function.address - code.address
