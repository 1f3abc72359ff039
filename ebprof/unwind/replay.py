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
    """frames: uint64[n], leaf first, as BPF programs report them; name: their hash; stop: why."""

    frames: NDArray[np.uint64]
    name: int
    stop: int


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

    def replay(self, process: NDArray[Any], record: memoryview, memory: int = -1) -> UnwoundStack:
        """Unwind a record (DEFERRED_RECORD and its stack) in a process: PROCESS_ENTRY[1].

        memory: a descriptor of the process's memory (/proc/PID/mem), to read code; -1: none.
        """
        self._tables.memory = memory
        self._learn_shards()
        head = ffi.from_buffer("struct deferred_record *", record)
        if len(record) != ffi.sizeof("struct deferred_record") + head.stack_size:
            raise ValueError(f"{len(record)} bytes, {head.stack_size} of them stack")
        entry = ffi.from_buffer("struct process_entry *", process)
        lib.replay(self._tables, entry, head, self._out)
        raw = ffi.buffer(self._out.frames, 8 * self._out.count)
        frames = np.frombuffer(bytes(raw), np.uint64)
        return UnwoundStack(frames, int(self._out.hash), int(self._out.stop))

    def _learn_shards(self) -> None:
        for number in range(len(self._keep), self._memory.count):
            words = ffi.from_buffer("uint32_t[]", self._memory.shard(number))
            self._keep.append(words)
            self._shards[number] = words
        self._tables.shard_count = len(self._keep)
