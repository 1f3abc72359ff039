"""Unwinds deferred samples: replay.h for Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.unwind.memory import Shards


@dataclass(frozen=True, slots=True, eq=False)
class UnwoundStack:
    """frames: uint64[n], leaf first, as BPF programs report them; name: their hash; stop: why.

    asked: an address in code that a JIT made, whose block was missing; 0: none was.
    wants_code: code was to be read, and no memory was given.
    """

    frames: NDArray[np.uint64]
    name: int
    stop: int
    asked: int = 0
    wants_code: bool = False


class JitBlocks:
    """What is known of code that a JIT made: blocks by number."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    def __contains__(self, number: int) -> bool:
        return number in self._blocks

    def add(self, number: int, block: NDArray[Any]) -> None:
        """Put a block in, JIT_BLOCK[1]; it takes the place of one with its number."""
        self._blocks[number] = block.tobytes()

    def numbers(self) -> NDArray[np.uint64]:
        """Of the blocks, in the order of `data`."""
        return np.fromiter(self._blocks, np.uint64)

    def data(self) -> bytearray:
        """The blocks, back to back."""
        return bytearray().join(self._blocks.values())


class Replayer:
    """The BPF unwinder in user space, over the same tables.

    rules: UNWIND_RULE[MAX_RULES]; hash_seed: the BPF programs', so that equal stacks have one name.
    """

    def __init__(
        self,
        shards: Shards,
        rules: NDArray[Any],
        *,
        hash_seed: int,
        use_tables: bool = True,
        use_frame_pointers: bool = True,
    ) -> None:
        self._memory = shards
        self._rules = ffi.from_buffer("struct unwind_rule[]", rules)
        self._shards = ffi.new("uint32_t *[]", lib.MAX_SHARDS)
        self._keep: list[Any] = []
        self._tables = ffi.new(
            "struct replay_tables *",
            {
                "rules": self._rules,
                "shards": self._shards,
                "use_tables": use_tables,
                "use_frame_pointers": use_frame_pointers,
                "hash_seed": hash_seed,
            },
        )
        self._out = ffi.new("struct replayed *")

    def replay(
        self,
        process: NDArray[Any],
        record: memoryview,
        memory: int = -1,
        jitted: JitBlocks | None = None,
    ) -> UnwoundStack:
        """Unwind a record (DEFERRED_RECORD and its stack) in a process: PROCESS_ENTRY[1].

        memory: a descriptor of the process's memory (/proc/PID/mem), to read code; -1: none.
        jitted: what is known of code without tables; None: nothing, and nobody is asked.
        """
        self._tables.memory = memory
        self._learn_shards()
        head = ffi.from_buffer("struct deferred_record *", record)
        if len(record) != ffi.sizeof("struct deferred_record") + head.stack_size:
            raise ValueError(f"{len(record)} bytes, {head.stack_size} of them stack")
        entry = ffi.from_buffer("struct process_entry *", process)
        numbers, blocks, count, may_ask = _code(jitted)
        code = ffi.new("struct replay_code *", [numbers, blocks, count, may_ask])
        lib.replay(self._tables, entry, code, head, self._out)
        raw = ffi.buffer(self._out.frames, 8 * self._out.count)
        frames = np.frombuffer(bytes(raw), np.uint64)
        out = self._out
        stop, asked, wants_code = int(out.stop), int(out.asked), bool(out.wants_code)
        return UnwoundStack(frames, int(out.hash), stop, asked, wants_code)

    def _learn_shards(self) -> None:
        for number in range(len(self._keep), self._memory.count):
            words = ffi.from_buffer("uint32_t[]", self._memory.shard(number))
            self._keep.append(words)
            self._shards[number] = words
        self._tables.shard_count = len(self._keep)


def _code(jitted: JitBlocks | None) -> tuple[Any, Any, int, bool]:
    known = JitBlocks() if jitted is None else jitted
    return (
        ffi.from_buffer("uint64_t[]", known.numbers()),
        ffi.from_buffer("struct jit_block[]", known.data(), require_writable=True),
        len(known),
        jitted is not None,
    )
