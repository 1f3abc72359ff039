"""Real programs, stopped anywhere: what is replayed of them is what elfutils unwinds.

A case is what the kernel would have sent of a sample (registers, the stack from the stack pointer
up) and what the process has mapped. It is taken from a child by ptrace(2), so that it needs no
root, and unwound by the same C that the BPF programs are made of. `eu-stack` is the oracle: it
walks the same process, stopped meanwhile, by DWARF's call frame information, in code of its own.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import MAPPING_ENTRY
from ebprof.unwind.replay import Replayer, UnwoundStack
from tests import targets
from tests.unit.unwind.fakes import Stores
from tests.unit.unwind.test_replay import PAGE, RSP, SEED, in_object, record

CASES = 8
PAUSE_S = 0.015
TIME_LIMIT = 30
PTRACE_GETREGS, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 12, 17, 0x4206, 0x4207
# Places in struct user_regs_struct, by DWARF number.
REGISTERS = (10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0)
RIP, REGISTER_COUNT = 16, 27
FRAME = re.compile(r"^#\d+ +0x([0-9a-f]+)(?: +- (1))?", re.MULTILINE)
# Where a walk may end before eu-stack's: the copy of the stack, or the frames, are all used up; or
# a signal handler has a stack of its own, and what it interrupted is not in the copy.
CUT_SHORT = (lib.STOP_SHORT_COPY, lib.STOP_TRUNCATED)
CUT_AT_A_SIGNAL = (*CUT_SHORT, lib.STOP_READ_FAULT)

PROGRAMS = [
    ("split", "default"),
    ("split", "static"),
    ("split", "no_pie"),
    ("split", "stripped"),
    ("features", "default"),
    ("features", "unoptimized"),
    ("plt", "lazy"),
    ("recursion", "default"),
    ("rustwork", "default"),
]

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long

pytestmark = pytest.mark.skipif(not shutil.which("eu-stack"), reason="no eu-stack here")


@dataclass(frozen=True, slots=True)
class Walk:
    """A stack by eu-stack: addresses, leaf first, of callers within the call."""

    addresses: list[int]
    crosses_signal: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A moment of a process. registers: by DWARF number."""

    pc: int
    registers: dict[int, int]
    stack: bytes
    oracle: Walk


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process, stopped meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + TIME_LIMIT
        while " T " not in Path(f"/proc/{pid}/stat").read_text()[:64].replace("(", " "):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def take(pid: int) -> Case:
    """Record a process as it is now."""
    with stopped(pid):
        raw = read_registers(pid)
        registers = {number: int(raw[place]) for number, place in enumerate(REGISTERS)}
        return Case(int(raw[RIP]), registers, read_stack(pid, registers[RSP]), walk(pid))


def read_registers(pid: int) -> NDArray[np.uint64]:
    ptrace(PTRACE_SEIZE, pid)
    ptrace(PTRACE_INTERRUPT, pid)
    os.waitpid(pid, os.WUNTRACED)
    buffer = np.zeros(REGISTER_COUNT, np.uint64)
    ptrace(PTRACE_GETREGS, pid, buffer.ctypes.data)
    ptrace(PTRACE_DETACH, pid)
    return buffer


def ptrace(request: int, pid: int, data: int = 0) -> None:
    if _libc.ptrace(request, pid, 0, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


def read_stack(pid: int, start: int) -> bytes:
    """Whole pages, as many as a sample has."""
    with FileIO(f"/proc/{pid}/mem") as memory:
        return os.pread(memory.fileno(), PAGE * lib.STACK_PAGES - start % PAGE, start)


def walk(pid: int) -> Walk:
    """What eu-stack says of the process's first thread."""
    command = ["eu-stack", "--activation", "-1", "-n", "0", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT)
    frames = [(int(address, 16), bool(caller)) for address, caller in FRAME.findall(done.stdout)]
    callers = [is_caller for _, is_caller in frames]
    # Two that are no callers: a signal handler's return address, where it never was called from,
    # and what the signal interrupted. Ours takes the former for a call, like any return address.
    signals = {place for place in range(1, len(callers) - 1) if not any(callers[place : place + 2])}
    return Walk(
        [
            address - (is_caller or place in signals)
            for place, (address, is_caller) in enumerate(frames)
        ],
        bool(signals),
    )


class Unwinder:
    """The tables of one process."""

    def __init__(self, pid: int) -> None:
        stores = Stores()
        self._shards, self._tables = stores.shards, stores.tables
        stores.processes.load(pid)
        stores.processes.complete(pid)
        self._entry = stores.processes.entry(pid)

    def unwind(self, case: Case) -> UnwoundStack:
        """Replay a case."""
        replayer = Replayer(self._shards, self._tables.rules.rules, hash_seed=SEED)
        return replayer.replay(self._entry, record(case.pc, case.stack, case.registers))

    def frames(self, case: Case) -> list[int]:
        """The oracle's frames as ours are: in their objects."""
        shard = self._shards.shard(int(self._entry["shard"][0]))
        start, count = int(self._entry["at"][0]), int(self._entry["count"][0])
        rows = shard[start : start + count * lib.MAPPING_WORDS].view(MAPPING_ENTRY)
        return [in_object(rows, address) for address in case.oracle.addresses]


@pytest.mark.parametrize(("name", "variant"), PROGRAMS)
def test_programs_stopped_anywhere(name: str, variant: str) -> None:
    try:
        targets.build(name, variant)
    except targets.MissingCompilerError as error:
        pytest.skip(str(error))
    with targets.running(name, variant=variant) as target:
        unwinder = Unwinder(target.pid)
        cases = []
        for _ in range(CASES):
            time.sleep(PAUSE_S)
            cases.append(take(target.pid))
    for case in cases:
        check(unwinder, case)


def check(unwinder: Unwinder, case: Case) -> None:
    done = unwinder.unwind(case)
    expected = unwinder.frames(case)
    found = done.frames.tolist()
    if done.stop in (CUT_AT_A_SIGNAL if case.oracle.crosses_signal else CUT_SHORT):
        assert len(found) > 1
        expected = expected[: len(found)]
    else:
        assert done.stop == lib.STOP_COMPLETE
    assert [hex(frame) for frame in found] == [hex(frame) for frame in expected]
