"""What code that a JIT made says of its frames: code.h's `follow_jitted` for Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.abi import JIT_BLOCK, JIT_RULE

BLOCK: int = lib.JIT_BLOCK
"""Bytes of code that are kept together."""


@dataclass(frozen=True, slots=True, eq=False)
class CodeBlocks:
    """Blocks [first, first + n) of memory: JIT_BLOCK[n]."""

    first: int
    blocks: NDArray[Any]


def blocks_of(start: int, size: int, memory: bytes) -> CodeBlocks:
    """What the code of the function at `start` says, in all blocks that it has bytes in.

    memory: of those blocks, from the first byte of the first one on.
    """
    first = start // BLOCK
    count = -(-(start + size) // BLOCK) - first
    if len(memory) != count * BLOCK:
        raise ValueError(f"{len(memory)} bytes for {count} blocks")
    before = start - first * BLOCK
    blocks = np.zeros(count, JIT_BLOCK)
    rules = np.zeros(count * BLOCK, JIT_RULE)
    rules[before : before + size] = rules_of(memory[before : before + size])
    blocks["by_byte"] = rules.reshape(count, BLOCK)
    blocks["code"] = [hash_of(memory[at * BLOCK : (at + 1) * BLOCK]) for at in range(count)]
    return CodeBlocks(first, blocks)


def rules_of(code: bytes) -> NDArray[Any]:
    """What a function's instructions say of each of its bytes: JIT_RULE[n], at most MAX_CODE."""
    rules = np.zeros(len(code), JIT_RULE)
    scratch = np.empty(lib.follow_code_scratch_size(len(code)), np.uint8)
    lib.follow_jitted(
        ffi.from_buffer("uint8_t[]", code),
        len(code),
        ffi.from_buffer("uint8_t[]", scratch, require_writable=True),
        ffi.from_buffer("struct jit_rule[]", rules, require_writable=True),
    )
    return rules


def hash_of(data: bytes) -> int:
    """Of the BLOCK bytes of a block, as BPF programs compute it."""
    return int(lib.hash_of_block(ffi.from_buffer("uint8_t[]", data)))


def unknown_block() -> NDArray[Any]:
    """Of which nothing is known: JIT_BLOCK[1]."""
    block = np.zeros(1, JIT_BLOCK)
    block["by_byte"]["kind"] = lib.JIT_UNKNOWN
    return block
