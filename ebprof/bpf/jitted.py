"""The BPF map of what a JIT's code says of its frames."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import JIT_BLOCK, JIT_PLACE
from ebprof.bpf.maps import BpfMap


class JitMap:
    """Blocks of code by process and number; the least recently used make room for others."""

    def __init__(self, blocks: BpfMap) -> None:
        self._map = blocks

    def find(self, pid: int, number: int) -> NDArray[Any] | None:
        """A block that still holds: JIT_BLOCK[1]."""
        block = self._map.find(_places(pid, number, 1), JIT_BLOCK)
        return block if block is not None and block["until"][0] > time.monotonic_ns() else None

    def set(self, pid: int, first: int, blocks: NDArray[Any], seconds: float) -> None:
        """Set JIT_BLOCK[n] from a number on, for a time. Raises MapError."""
        held = blocks.copy()
        held["until"] = time.monotonic_ns() + round(1e9 * seconds)
        self._map.update_batch(_places(pid, first, len(held)), held)


def _places(pid: int, first: int, count: int) -> NDArray[Any]:
    places = np.zeros(count, JIT_PLACE)
    places["pid"] = pid
    places["number"] = np.arange(first, first + count, dtype=np.uint64)
    return places
