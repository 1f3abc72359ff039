"""Reads code that a JIT made, where perf maps say what is a function, for BPF programs."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.errors import EbprofError
from ebprof.symbolize.budget import GIB, Budget
from ebprof.symbolize.perfmap import PerfMap
from ebprof.unwind.jitted import BLOCK, CodeBlocks, blocks_of, hash_of, unknown_block
from ebprof.unwind.replay import JitBlocks, UnwoundStack
from ebprof.walls import Walls

MOST_MAPS = 64
"""Processes whose perf maps are kept."""
MOST_CODE = 64 << 10
"""Bytes of a function that is followed."""
MOST_QUESTIONS = 64
"""Of one stack; each is about another function."""
HOLDS_S = 60.0
RETRY_S = 1.0
"""How long it is believed that a perf map does not name something: it is written with delay."""
REFRESH_S = 0.1
SHARE = 0.1
"""Of the time may go into this, beyond BURST_S."""
BURST_S = 1.0


class Blocks(Protocol):
    """The BPF map of blocks; see bpf/jitted.py."""

    def find(self, pid: int, number: int) -> NDArray[Any] | None: ...
    def set(self, pid: int, first: int, blocks: NDArray[Any], seconds: float) -> None: ...


@dataclass(slots=True)
class _Map:
    """A perf map, and when it was read (time.monotonic())."""

    map: PerfMap
    read_at: float = float("-inf")


class JittedCode:
    """What is known of code that perf maps name; `close` closes them.

    blocks: where BPF programs look for it. walls: stand around each perf map.
    """

    def __init__(self, blocks: Blocks, walls: Walls | None = None) -> None:
        self._blocks = blocks
        self._walls = walls or Walls()
        self._maps: OrderedDict[int, _Map] = OrderedDict()
        self._budget = Budget(GIB, "perf maps take more than 1 GiB together: callers are guessed")
        self._began = time.monotonic()
        self._spent = 0.0

    def unwind(
        self, pid: int, memory: int, replay: Callable[[JitBlocks], UnwoundStack]
    ) -> UnwoundStack:
        """Unwind a sample, and answer what it asks of code.

        memory: a descriptor of the process's memory. replay: unwinds by what is known so far.
        """
        known = JitBlocks()
        stack = replay(known)
        for _ in range(MOST_QUESTIONS):
            if not stack.asked:
                break
            began = time.monotonic()
            self._answer(pid, stack.asked, memory, known)
            self._spent += time.monotonic() - began
            stack = replay(known)
        return stack

    def forget(self, pid: int) -> None:
        """A process is gone; another may get its number."""
        if pid in self._maps:
            self._close(self._maps.pop(pid))

    def close(self) -> None:
        """Close all perf maps."""
        for one in self._maps.values():
            self._close(one)
        self._maps.clear()

    def _close(self, one: _Map) -> None:
        with self._walls.around(f"/tmp/perf-{one.map.pid}.map"):
            one.map.forget()

    def _answer(self, pid: int, address: int, memory: int, known: JitBlocks) -> None:
        number = address // BLOCK
        block = self._blocks.find(pid, number)
        if block is not None and _is_about(block, address) and _is_true(block, number, memory):
            known.add(number, block)
            return
        if self._blocks.find(pid, 0) is not None:
            known.add(0, unknown_block())
            return
        found = None
        with self._walls.around(f"/tmp/perf-{pid}.map"):
            found = self._read(pid, address, memory) if self._has_time() else None
        if found is None:
            found, seconds = self._nothing(pid, number), RETRY_S
        else:
            found, seconds = self._joined(pid, found), HOLDS_S
        at = number - found.first if found.first else 0
        known.add(number if found.first else 0, found.blocks[at : at + 1])
        with suppress(EbprofError):  # full of blocks in use: the next sample asks again
            self._blocks.set(pid, found.first, found.blocks, seconds)

    def _has_time(self) -> bool:
        return self._spent < BURST_S + SHARE * (time.monotonic() - self._began)

    def _nothing(self, pid: int, number: int) -> CodeBlocks:
        """What is told where no perf map names an address: of the process, if it has none."""
        has_map = pid in self._maps and self._maps[pid].map.is_found
        return CodeBlocks(number if has_map else 0, unknown_block())

    def _joined(self, pid: int, code: CodeBlocks) -> CodeBlocks:
        """With what is known of the functions that share its first and its last block."""
        for at in {0, len(code.blocks) - 1}:
            old = self._blocks.find(pid, code.first + at)
            new = code.blocks[at]
            if old is not None and old["code"][0] == new["code"]:
                is_other = new["by_byte"]["kind"] == lib.JIT_UNASKED
                new["by_byte"][is_other] = old["by_byte"][0][is_other]
        return code

    def _read(self, pid: int, address: int, memory: int) -> CodeBlocks | None:
        """The function that holds an address; None for none, or one that is too large."""
        extent = self._extent(pid, address)
        if extent is None or extent[1] - extent[0] > MOST_CODE:
            return None
        start, end = extent
        first, last = start // BLOCK * BLOCK, -(-end // BLOCK) * BLOCK
        try:
            data = os.pread(memory, last - first, first)
        except (OSError, OverflowError):
            return None
        return blocks_of(start, end - start, data) if len(data) == last - first else None

    def _extent(self, pid: int, address: int) -> tuple[int, int] | None:
        one = self._map_of(pid)
        extent = one.map.extent(address)
        now = time.monotonic()
        if extent is None and now > one.read_at + REFRESH_S:
            one.read_at = now
            one.map.refresh()
            extent = one.map.extent(address)
        return extent

    def _map_of(self, pid: int) -> _Map:
        if pid not in self._maps:
            if len(self._maps) == MOST_MAPS:
                self._close(self._maps.popitem(last=False)[1])
            self._maps[pid] = _Map(PerfMap(pid, self._budget))
        self._maps.move_to_end(pid)
        return self._maps[pid]


def _is_about(block: NDArray[Any], address: int) -> bool:
    return bool(block["by_byte"]["kind"][0, address % BLOCK] != lib.JIT_UNASKED)


def _is_true(block: NDArray[Any], number: int, memory: int) -> bool:
    """Whether the code is what it was."""
    try:
        data = os.pread(memory, BLOCK, number * BLOCK)
    except (OSError, OverflowError):
        return False
    return len(data) == BLOCK and hash_of(data) == int(block["code"][0])
