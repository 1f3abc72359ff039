"""Stacks unwound in user space: made ones, a real one, and hostile ones."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import DEFERRED_RECORD, MAPPING_ENTRY, PROCESS_ENTRY, UNWIND_RULE
from ebprof.unwind.compile import FrameCounters, UnwindRows
from ebprof.unwind.memory import Shards
from ebprof.unwind.replay import Replayer, UnwoundStack
from ebprof.unwind.tables import TableStore
from tests import slow, targets
from tests.unit.unwind.fakes import FakeShards, Stores

SEED = 0x1234_5678_9ABC_DEF0
CODE, JIT = 0x40_0000, 0x7000_0000
STACK = 0x7FFF_0000_0E00  # 512 bytes below the end of its page
PAGE = 4096
WHOLE_COPY = PAGE * (lib.STACK_PAGES - 1) + PAGE - STACK % PAGE
RDX, RBX, RDI, RBP, RSP, R8, R9 = 1, 3, 5, 6, 7, 8, 9
NUMBERS = {"rdx": RDX, "rbx": RBX, "rdi": RDI, "rbp": RBP, "rsp": RSP, "r8": R8, "r9": R9}
COUNTERS = FrameCounters(0, 0, 0, 0, 0, 0, 0, 0, False)


def rule(**fields: Any) -> NDArray[Any]:
    """An UNWIND_RULE with a return address at CFA - 8 unless told otherwise."""
    made = np.zeros(1, UNWIND_RULE)
    made["ra_offset"] = -8
    for name, value in fields.items():
        made[name] = getattr(lib, value) if isinstance(value, str) else value
    return made


SP_16 = rule(cfa_kind="CFA_SP", cfa_offset=16)
OUTERMOST = rule(cfa_kind="CFA_SP", cfa_offset=8, ra_kind="RA_UNDEFINED")
FP_16 = rule(cfa_kind="CFA_FP", cfa_offset=16, fp_kind="FP_AT_CFA", fp_offset=-16)
BY_RBX = rule(cfa_kind="CFA_REGISTER", cfa_register=RBX, cfa_offset=8)
SIGNAL = rule(
    cfa_kind="CFA_DEREF_SP",
    cfa_offset=160,
    fp_kind="FP_AT_SP",
    fp_offset=120,
    ra_kind="RA_AT_SP",
    ra_offset=168,
    is_signal=1,
)


class Code:
    """An object of 256 bytes of code a rule, mapped at CODE, and JIT code at JIT."""

    def __init__(self, *rules: NDArray[Any]) -> None:
        shards = Shards(FakeShards())
        store = TableStore(shards, np.zeros(lib.MAX_RULES, UNWIND_RULE))
        dictionary = np.concatenate([rule(ra_offset=0), rule(cfa_kind="CFA_UNSUPPORTED"), *rules])
        offsets = np.arange(len(rules) + 1, dtype=np.uint32) * 256
        numbers = np.array([*range(2, len(rules) + 2), 0], np.uint16)
        table = store.add(UnwindRows(0, offsets, numbers, dictionary, COUNTERS))
        assert table
        (segment,) = table.segments
        rows = np.zeros(2, MAPPING_ENTRY)
        rows[0] = (
            CODE,
            CODE + 256 * len(rules),
            CODE,
            -CODE % 2**64,
            segment.place.at,
            segment.place.shard,
            segment.shift,
            lib.MAPPING_TABLE,
        )
        rows[1] = (JIT, JIT + PAGE, 0, 0, 0, 0, 0, lib.MAPPING_NO_TABLE)
        place = store.heap.allocate(2 * lib.MAPPING_WORDS)
        assert place
        shards.words(place)[:] = rows.view(np.uint32)
        self.process = np.zeros(1, PROCESS_ENTRY)
        self.process[0] = (place.at, 2, place.shard, 0, 0, 0)
        self._replayer = Replayer(shards, store.rules.rules, hash_seed=SEED)

    def unwind(
        self,
        pc: int,
        words: Iterable[int],
        *,
        process: NDArray[Any] | None = None,
        readable: int | None = None,
        code: dict[int, bytes] | None = None,
        **registers: int,
    ) -> UnwoundStack:
        """Unwind from pc, with this on the stack; code: what can be read, by address; None: there
        is no memory.
        """
        stack = np.array([*words], np.uint64).tobytes()
        named = {RSP: STACK} | by_number(registers)
        if process is None:
            process = self.process
        given = record(pc, stack, named, readable)
        if code is None:
            return self._replayer.replay(process, given)
        with memory_of(code) as memory:
            return self._replayer.replay(process, given, memory)


@contextmanager
def memory_of(code: dict[int, bytes]) -> Iterator[int]:
    """A descriptor that reads as a process's memory with this code in it."""
    memory = os.memfd_create("memory")
    try:
        for address, data in code.items():
            os.pwrite(memory, data.ljust(PAGE, b"\xcc"), address)
        yield memory
    finally:
        os.close(memory)


def by_number(registers: dict[str, int]) -> dict[int, int]:
    """Registers by DWARF number."""
    return {NUMBERS[name]: value for name, value in registers.items()}


def record(
    pc: int, stack: bytes, registers: dict[int, int], readable: int | None = None
) -> memoryview:
    """A deferred record as the BPF programs send it: the stack goes on to the end of a page.

    readable: all of its pages unless told otherwise.
    """
    stack += bytes(-(registers[RSP] + len(stack)) % PAGE)
    if readable is None:
        readable = (1 << (registers[RSP] % PAGE + len(stack)) // PAGE) - 1
    head = np.zeros(1, DEFERRED_RECORD)
    head["head"]["type"] = lib.RECORD_DEFERRED
    head["pc"], head["stack_size"], head["readable"] = pc, len(stack), readable
    for number, value in registers.items():
        head["registers"][0, number] = value
    return memoryview(head.tobytes() + stack)


def hash_of(frames: Iterable[int]) -> int:
    """The name of a stack, computed as abi.h's users do."""
    name = SEED
    for frame in frames:
        name = (name ^ frame) * 0x9E3779B97F4A7C15 % 2**64
        name ^= name >> 29
    return name


def at(function: int, offset: int = 0x10) -> int:
    """An address in the code that the n-th rule covers."""
    return CODE + 256 * function + offset


def check(stack: UnwoundStack, frames: list[int], stop: str) -> None:
    assert stack.frames.tolist() == frames
    assert stack.stop == getattr(lib, f"STOP_{stop}")
    assert stack.name == hash_of(frames)


def test_to_the_outermost_frame() -> None:
    code = Code(SP_16, OUTERMOST)
    done = code.unwind(at(0), [1, at(0, 0x21), 2, at(1, 0x31)])
    check(done, [0x10, 0x20, 0x130], "COMPLETE")


def test_the_frame_pointer_is_restored() -> None:
    code = Code(FP_16, SP_16, OUTERMOST)
    words = [1, 2, STACK + 48, at(0, 9), 3, 4, 5, at(2, 9)]
    done = code.unwind(at(0), words, rbp=STACK + 16)
    check(done, [0x10, 8, 0x208], "COMPLETE")


def test_code_without_a_table_goes_by_frame_pointers() -> None:
    code = Code(OUTERMOST)
    done = code.unwind(JIT + 5, [0, STACK + 32, 0, 0, 7, at(0, 1)], rbp=STACK + 32)
    check(done, [JIT + 5, 0], "COMPLETE")


def test_a_leaf_has_all_registers_and_a_caller_has_not() -> None:
    code = Code(BY_RBX, OUTERMOST)
    check(code.unwind(at(0), [1, at(1, 1)], rbx=STACK + 8), [0x10, 0x100], "COMPLETE")
    check(code.unwind(at(0), [1, at(0, 1)], rbx=STACK + 8), [0x10, 0], "NO_REGISTER")


def test_below_a_signal_all_registers_are_known_again() -> None:
    code = Code(SIGNAL, BY_RBX, OUTERMOST)
    words = np.zeros(40, np.uint64)
    words[20], words[21] = STACK + 240, at(1)  # sp and pc that were interrupted
    words[16] = STACK + 248  # rbx
    words[31] = at(2, 1)
    check(code.unwind(at(0), words), [0x10, 0x110, 0x200], "COMPLETE")


FOLLOWED = rule(cfa_kind="CFA_SP", cfa_offset=16, bx_slot=lib.BX_SAME)
SAVED = rule(cfa_kind="CFA_SP", cfa_offset=24, bx_slot=3)


def test_rbx_is_followed_outwards() -> None:
    code = Code(FOLLOWED, SAVED, BY_RBX, OUTERMOST)
    through = [7, at(1, 1), STACK + 48, 7, at(2, 1), 7, at(3, 1)]
    check(code.unwind(at(0), through, rbx=1), [0x10, 0x100, 0x200, 0x300], "COMPLETE")
    direct = [7, at(2, 1), 7, at(3, 1)]
    check(code.unwind(at(0), direct, rbx=STACK + 24), [0x10, 0x200, 0x300], "COMPLETE")


def test_rbx_is_lost_in_code_that_does_not_follow_it() -> None:
    code = Code(FOLLOWED, SP_16, BY_RBX)
    words = [7, at(1, 1), 7, at(2, 1)]
    check(code.unwind(at(0), words, rbx=STACK + 24), [0x10, 0x100, 0x200], "NO_REGISTER")
    by_fp = [STACK + 32, at(2, 1)]
    check(code.unwind(JIT, by_fp, rbx=1, rbp=STACK), [JIT, 0x200], "NO_REGISTER")


def test_a_return_address_in_a_register() -> None:
    """As in vfork, where the CFA is the stack pointer; no other frame than the leaf has it."""
    vfork = rule(cfa_kind="CFA_SP", ra_kind="RA_REGISTER", ra_offset=RDI)
    code = Code(vfork, OUTERMOST, SP_16)
    check(code.unwind(at(0), [], rdi=at(1, 1)), [0x10, 0x100], "COMPLETE")
    check(code.unwind(at(2), [1, at(0, 1)], rdi=at(1, 1)), [0x210, 0], "NO_REGISTER")


def test_all_that_longjmp_restores_is_in_registers() -> None:
    jump = rule(
        cfa_kind="CFA_REGISTER",
        cfa_register=R8,
        fp_kind="FP_REGISTER",
        fp_offset=R9,
        ra_kind="RA_REGISTER",
        ra_offset=RDX,
    )
    code = Code(jump, FP_16, OUTERMOST)
    words = [0, 0, 0, 0, 0, at(2, 1)]
    done = code.unwind(at(0), words, r8=STACK + 16, r9=STACK + 32, rdx=at(1, 1))
    check(done, [0x10, 0x100, 0x200], "COMPLETE")


def test_a_caller_below_its_callee_needs_a_call_that_can_be_read() -> None:
    """As on a stack that was switched to; in a replay code cannot be read."""
    code = Code(rule(cfa_kind="CFA_SP", cfa_offset=64), FP_16, OUTERMOST)
    words = [0, 0, at(2, 1), 0, 0, 0, 0]
    check(code.unwind(at(0), [*words, at(1, 1)], rbp=STACK + 8), [0x10, 0x100], "BAD_STACK")
    check(code.unwind(at(0), [*words, JIT + 9], rbp=STACK + 8), [0x10, JIT + 8], "BAD_FP")


FRAME = bytes.fromhex("554889e5")  # push rbp; mov rbp, rsp
WORK = bytes.fromhex("ffc975fc")  # 1: dec ecx; jnz 1b
LEAF = JIT + 0x100


def jitted(leaf: bytes, call: str = "e8f7000000", before: bytes = FRAME) -> dict[int, bytes]:
    """Code at JIT that calls its neighbour at LEAF."""
    caller = before + bytes.fromhex(call) + bytes.fromhex("c9c3")
    return {JIT: caller.ljust(0x100, b"\xcc") + leaf}


def check_leaf(pc: int, below: list[int], code: dict[int, bytes], stop: str = "COMPLETE") -> None:
    """Words below the frame of LEAF's caller, whose return address, JIT + 9, is among them."""
    words = [*below, STACK + 8 * len(below) + 32, at(0, 1)]
    done = Code(OUTERMOST).unwind(pc, words, rbp=STACK + 8 * len(below), code=code)
    check(done, [pc, JIT + 8, 0], stop)


@pytest.mark.parametrize(
    ("leaf", "offset", "below"),
    [
        (WORK, 0, [JIT + 9]),
        (b"\x53\x41\x54" + WORK, 3, [1, 2, JIT + 9]),
        (FRAME + WORK, 0, [JIT + 9]),
        (b"\xf3\x0f\x1e\xfa" + FRAME + WORK, 0, [JIT + 9]),
        (FRAME + WORK + b"\x5d\xc3", 9, [JIT + 9]),
        (FRAME + WORK + b"\x48\x83\xc4\x10\x5b\xc3", 8, [1, 2, 3, JIT + 9]),
    ],
    ids=["no frame", "pushes", "at its entry", "behind endbr64", "at its return", "at its end"],
)
def test_a_leaf_whose_frame_pointer_is_its_callers(
    leaf: bytes, offset: int, below: list[int]
) -> None:
    check_leaf(LEAF + offset, below, jitted(leaf))


@pytest.mark.parametrize("offset", [1, 8], ids=["pushed", "to be popped"])
def test_a_leaf_whose_frame_is_half_there(offset: int) -> None:
    leaf = FRAME + WORK + b"\x5d\xc3"
    words = [STACK + 16, JIT + 9, STACK + 64, at(0, 1)]
    rbp = STACK + 16 if offset == 1 else STACK
    done = Code(OUTERMOST).unwind(LEAF + offset, words, rbp=rbp, code=jitted(leaf))
    check(done, [LEAF + offset, JIT + 8, 0], "COMPLETE")


def test_the_call_of_a_leaf_by_register() -> None:
    move = FRAME + b"\x48\xb8" + LEAF.to_bytes(8, "little")
    words = [JIT + 16, STACK + 64, at(0, 1)]
    ways: tuple[tuple[bytes, dict[str, Any]], ...] = ((move, {}), (move[::-1], {"rbx": LEAF}))
    for before, registers in ways:
        code = jitted(WORK, "ffd3" if registers else "ffd0", before)
        done = Code(OUTERMOST).unwind(LEAF, words, rbp=STACK + 8, code=code, **registers)
        check(done, [LEAF, JIT + 15, 0], "COMPLETE")


def test_a_leaf_that_anything_may_have_called_is_a_guess() -> None:
    words = [JIT + 6, STACK + 64, at(0, 0x21)]
    code = jitted(WORK, "ffd0") | {CODE: b"\xff\xd0".rjust(0x21)}
    done = Code(OUTERMOST).unwind(LEAF, words, rbp=STACK + 8, code=code)
    check(done, [LEAF, 0x20], "UNSURE_CALLER")
    nowhere = Code(OUTERMOST).unwind(LEAF, [*words[:2], 7], rbp=STACK + 8, code=code)
    check(nowhere, [LEAF, JIT + 5], "BAD_FP")


def test_code_is_wanted_where_there_is_no_memory_to_read_it_from() -> None:
    words = [JIT + 9, STACK + 40, at(0, 1)]
    without = Code(OUTERMOST).unwind(LEAF, words, rbp=STACK + 8)
    assert without.wants_code
    assert JIT + 8 not in without.frames
    assert not Code(OUTERMOST).unwind(LEAF, words, rbp=STACK + 8, code={}).wants_code
    assert not Code(OUTERMOST).unwind(at(0), [at(0, 1)]).wants_code


def test_an_old_return_address_in_a_leafs_frame() -> None:
    words = [JIT + 9, 0, STACK + 32, JIT + 9, STACK + 64, at(0, 1)]
    code = jitted(FRAME + WORK)
    done = Code(OUTERMOST).unwind(LEAF + 4, words, rbp=STACK + 16, code=code)
    check(done, [LEAF + 4, JIT + 8, 0], "COMPLETE")


TRAMPOLINE = bytes.fromhex("4883ec08 ffd1 4883c408 c3")  # sub rsp, 8; call rcx; add rsp, 8; ret


@pytest.mark.parametrize(
    ("trampoline", "after"),
    [(TRAMPOLINE, 6), (FRAME + bytes.fromhex("ffd1 5d c3"), 6)],
    ids=["without a frame", "with one"],
)
def test_a_trampoline_keeps_the_frame_pointer_or_restores_it(trampoline: bytes, after: int) -> None:
    """It is called by code whose frame is found by rbp, and calls code without a frame."""
    code = Code(SP_16, FP_16, OUTERMOST)
    outer = STACK + 48
    saved = outer if trampoline != TRAMPOLINE else 7
    words = [1, JIT + after, saved, at(1, 0x21), 0, 0, 9, at(2, 9)]
    rbp = STACK + 16 if trampoline != TRAMPOLINE else outer
    memory = {JIT: trampoline, CODE: b"\xff\xd0".rjust(0x121, b"\x90")}
    done = code.unwind(at(0), words, rbp=rbp, code=memory)
    check(done, [0x10, JIT + after - 1, 0x120, 0x208], "COMPLETE")


BY_CODE = rule(cfa_kind="CFA_SP", cfa_offset=16, ra_kind="RA_BY_CODE")


def test_a_rule_from_code_is_believed_only_if_it_leads_to_code() -> None:
    code = Code(BY_CODE, OUTERMOST)
    check(code.unwind(at(0), [1, at(1, 1)]), [0x10, 0x100], "COMPLETE")
    check(code.unwind(at(0), [1, 0x1234]), [0x10], "BAD_FP")
    check(code.unwind(at(0), [1, 0]), [0x10], "COMPLETE")


def test_an_unknown_process_keeps_its_leaf() -> None:
    done = Code(SP_16).unwind(at(0), [1, 2], process=np.zeros(1, PROCESS_ENTRY))
    check(done, [at(0)], "NO_PROCESS")


def test_an_unknown_address_ends_the_stack() -> None:
    check(Code(SP_16).unwind(at(0), [1, 0x1234]), [0x10, 0x1233], "NO_MAPPING")


def test_the_end_of_the_stack_is_a_fault() -> None:
    deep = rule(cfa_kind="CFA_SP", cfa_offset=1024)
    check(Code(deep).unwind(at(0), [1]), [0x10], "READ_FAULT")


def test_a_copy_that_is_full_is_said_to_be_short() -> None:
    calls = [1, at(0, 1)] * (WHOLE_COPY // 16)
    done = Code(SP_16).unwind(at(0), calls)
    assert done.stop == lib.STOP_TRUNCATED
    assert len(done.frames) == lib.MAX_USER_FRAMES
    deep = rule(cfa_kind="CFA_SP", cfa_offset=1024)
    calls = [at(0, 1)] * (WHOLE_COPY // 8)
    done = Code(deep).unwind(at(0), calls)
    check(done, [0x10, *[0] * (WHOLE_COPY // 1024)], "SHORT_COPY")


def test_a_missing_page_is_a_fault() -> None:
    code = Code(rule(cfa_kind="CFA_SP", cfa_offset=1024), OUTERMOST)
    words = [at(1, 1)] * 256
    check(code.unwind(at(0), words), [0x10, 0x100], "COMPLETE")
    check(code.unwind(at(0), words, readable=1), [0x10], "READ_FAULT")


def test_a_record_of_the_wrong_size_is_refused() -> None:
    code = Code(SP_16)
    data = record(at(0), b"", {RSP: STACK})
    with pytest.raises(ValueError, match="512 of them stack"):
        code._replayer.replay(code.process, data[:-8])


anything = st.integers(0, 2**64 - 1)
near = st.integers(-64, 2 * PAGE).map(lambda offset: STACK + offset)
address = st.one_of(st.integers(CODE - 8, CODE + 1100), st.integers(JIT, JIT + 64), near, anything)
any_rule = st.builds(
    rule,
    cfa_kind=st.integers(0, 9),
    cfa_offset=st.sampled_from([8, 16, 24, 4096, -8, 2**31 - 1, -(2**31)]),
    cfa_addend=st.integers(-32, 32),
    cfa_register=st.integers(0, 255),
    fp_kind=st.integers(0, 7),
    fp_offset=st.sampled_from([-16, -24, 0, 8]),
    bx_slot=st.integers(0, 255),
    is_signal=st.integers(0, 1),
    ra_kind=st.integers(0, lib.RA_UNSUPPORTED + 1),
    ra_offset=st.sampled_from([-8, 0, 8, 168]),
)


@settings(max_examples=slow.examples(500))
@given(st.lists(any_rule, min_size=1, max_size=4), st.data())
def test_hostile_registers_and_stacks(rules: list[NDArray[Any]], data: st.DataObject) -> None:
    words = data.draw(st.lists(address, max_size=200))
    registers: dict[str, Any] = {name: data.draw(address) for name in ("rsp", "rbp", "rbx")}
    readable = data.draw(st.one_of(st.none(), st.integers(0, 2**32 - 1)))
    code = Code(*rules)
    done = code.unwind(data.draw(address), words, readable=readable, **registers)
    assert 1 <= len(done.frames) <= lib.MAX_USER_FRAMES
    assert 0 <= done.stop < lib.STOP_COUNT
    assert done.name == hash_of(done.frames.tolist())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What tests/programs/snapshot.c wrote. callers: return addresses that backtrace(3) found."""

    pc: int
    registers: NDArray[np.uint64]
    callers: list[int]
    stack: bytes


def read_snapshot(process: subprocess.Popen[bytes]) -> Snapshot:
    assert process.stdout

    def read(count: int) -> NDArray[np.uint64]:
        return np.frombuffer(process.stdout.read(8 * count), np.uint64)  # type: ignore[union-attr]

    head = read(17)
    callers = read(int(read(1)[0])).tolist()
    return Snapshot(int(head[0]), head[1:], callers, read(int(read(1)[0])).tobytes())


@pytest.mark.parametrize("depth", [0, 10, 300])
def test_a_real_stack(depth: int) -> None:
    stores = Stores()
    shards, processes = stores.shards, stores.processes
    command = [str(targets.build("snapshot")), str(depth)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        snapshot = read_snapshot(process)
        processes.load(process.pid)
        processes.complete(process.pid)
    entry = processes.entry(process.pid)
    data = record(snapshot.pc, snapshot.stack, dict(enumerate(snapshot.registers.tolist())))
    done = Replayer(shards, stores.tables.rules.rules, hash_seed=SEED).replay(entry, data)

    words = shards.shard(int(entry["shard"][0]))[int(entry["at"][0]) :]
    rows = words[: int(entry["count"][0]) * lib.MAPPING_WORDS].view(MAPPING_ENTRY)
    expected = [in_object(rows, caller - 1) for caller in snapshot.callers[1:]]
    assert done.stop == lib.STOP_COMPLETE
    assert done.frames.tolist()[1:] == expected
    assert len(expected) > depth


def in_object(rows: NDArray[Any], pc: int) -> int:
    """An address as frames have it."""
    (row,) = rows[(rows["start"] <= pc) & (pc < rows["end"])]
    return int((int(row["frame_delta"]) + pc) % 2**64)
