"""What the code of a JIT's functions says of their frames: assembled, by bytes and by blocks."""

from __future__ import annotations

import numpy as np
import pytest

from ebprof._native import lib
from ebprof.unwind.code import MAX_CODE
from ebprof.unwind.jitted import BLOCK, blocks_of, hash_of, rules_of, unknown_block
from tests.unit.unwind.test_code import Assemble, assemble

__all__ = ["assemble"]

KINDS = {lib.JIT_UNKNOWN: "?", lib.JIT_BY_FP: "fp"}
SLOTS = {lib.JIT_FP_LOST: "lost", lib.JIT_FP_SAME: "same"}


def texts(code: bytes) -> list[tuple[int, str]]:
    """Rules from an offset on: `?`, `fp`, or the words above sp and where the caller's fp is."""
    found: list[tuple[int, str]] = []
    for at, rule in enumerate(rules_of(code)):
        kind, slot = int(rule["kind"]), int(rule["fp_slot"])
        text = KINDS.get(kind, f"sp+{rule['words']} {SLOTS.get(slot, slot)}")
        if not found or found[-1][1] != text:
            found.append((at, text))
    return found


def test_a_leaf_without_a_frame(assemble: Assemble) -> None:
    code = assemble("push %rbx; sub $4096, %rsp; imul %rax, %rax; add $4096, %rsp; pop %rbx; ret")
    whole = [(1, "sp+1 same"), (8, "sp+513 same"), (19, "sp+1 same"), (20, "sp+0 same")]
    assert texts(code) == [(0, "sp+0 same"), *whole]


def test_a_frame_pointer_is_believed_where_it_is_set_up(assemble: Assemble) -> None:
    code = assemble("push %rbp; mov %rsp, %rbp; sub $32, %rsp; nop; leave; ret")
    assert texts(code) == [(0, "sp+0 same"), (1, "sp+1 2"), (4, "fp"), (10, "sp+0 same")]


def test_a_frame_pointer_that_is_used_for_something_else(assemble: Assemble) -> None:
    code = assemble("push %rbx; push %rbp; mov %rdi, %rbp; nop; pop %rbp; pop %rbx; ret")
    assert texts(code)[2:4] == [(2, "sp+2 3"), (7, "sp+1 same")]
    assert texts(assemble("mov %rdi, %rbp; ret"))[1] == (3, "sp+0 lost")


def test_the_end_is_a_jump_to_elsewhere(assemble: Assemble) -> None:
    code = assemble("push %rbx; nop; pop %rbx; jmp .+4096")
    assert texts(code) == [(0, "sp+0 same"), (1, "sp+1 same"), (3, "sp+0 same")]


CALLS_THAT_POP = """push %rbp; mov %rsp, %rbp; test %eax, %eax; je 1f; push %rax; call .+4096
    1: nop; mov %rbp, %rsp; pop %rbp; ret $16"""


def test_calls_that_take_their_arguments_off_the_stack(assemble: Assemble) -> None:
    code = assemble(CALLS_THAT_POP)
    assert texts(code)[:4] == [(0, "sp+0 same"), (1, "sp+1 2"), (4, "fp"), (19, "sp+0 same")]


def test_code_that_contradicts_itself_says_nothing(assemble: Assemble) -> None:
    assert texts(assemble("test %eax, %eax; je 1f; push %rax; 1: nop; ret")) == [(0, "?")]
    assert texts(assemble("push %rax; ret")) == [(0, "?")]


def test_what_is_not_reached_says_nothing(assemble: Assemble) -> None:
    assert texts(assemble("jmp *%rax; nop; ret")) == [(0, "sp+0 same"), (2, "?")]


@pytest.mark.parametrize("size", [0, MAX_CODE + 1])
def test_sizes_that_are_not_followed(size: int) -> None:
    assert set(rules_of(b"\x90" * size)["kind"]) <= {lib.JIT_UNKNOWN}


def test_blocks_know_what_was_not_asked(assemble: Assemble) -> None:
    code = assemble("push %rbx; nop; pop %rbx; ret")
    memory = b"\xcc" * 62 + code + b"\xcc" * (2 * BLOCK - 62 - len(code))
    found = blocks_of(0x7000 + 62, len(code), memory)
    kinds = found.blocks["by_byte"]["kind"].ravel()
    assert (found.first, len(found.blocks)) == (0x7000 // BLOCK, 2)
    assert kinds.tolist() == [0] * 62 + [lib.JIT_BY_SP] * 4 + [0] * 62
    assert found.blocks["code"].tolist() == [hash_of(memory[:BLOCK]), hash_of(memory[BLOCK:])]
    with pytest.raises(ValueError, match="1 blocks"):
        blocks_of(0x7000, len(code), memory)


def test_other_code_has_another_hash() -> None:
    hashes = {hash_of(bytes([n]) + b"\x90" * (BLOCK - 1)) for n in range(256)}
    assert len(hashes) == 256


def test_of_an_unknown_block_nothing_is_known() -> None:
    assert np.unique(unknown_block()["by_byte"]["kind"]).tolist() == [lib.JIT_UNKNOWN]
