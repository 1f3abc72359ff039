"""Memory for unwind tables that BPF programs and Python share: map values, mmapped."""

from __future__ import annotations

import mmap
import os
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.bpf.maps import BpfMap, MapError

AHEAD = 4
"""Shards that are made together: the kernel waits a grace period (10 ms) each time."""

Words = NDArray[np.uint32]


class ShardMaps:
    """Makes shards (uint32[SHARD_WORDS] each) and puts them into the array of maps."""

    def __init__(self, shards: BpfMap) -> None:
        self._shards = shards
        self._made = 0
        self._spare: list[Words] = []
        self._first: int | None = None
        self._cleanup = ExitStack()

    def new_shard(self) -> Words:
        """The next shard's words, all zero; raises MapError, also beyond MAX_SHARDS."""
        if not self._spare:
            self._make(min(AHEAD, lib.MAX_SHARDS - self._made))
        if not self._spare:
            raise MapError(f"there are {self._made} maps for unwind tables already")
        return self._spare.pop(0)

    def wait(self) -> None:
        """Return when every BPF program that ran at the call has ended.

        The kernel waits for them (synchronize_rcu) whenever an element of an array of maps is set,
        here to the map that it is already.
        """
        if self._first is not None:
            self._shards.update(0, self._first)

    def close(self) -> None:
        """Close what is open; shards that were made stay."""
        self._first = None
        self._cleanup.close()

    def _make(self, count: int) -> None:
        with ExitStack() as opened:
            made = [_create(opened) for _ in range(count)]
            words = [_map(fd) for fd in made]
            self._put(made)
            if self._first is None and made:
                self._first = os.dup(made[0])
                self._cleanup.callback(os.close, self._first)
        self._made += count
        self._spare += words

    def _put(self, made: list[int]) -> None:
        numbers = np.arange(self._made, self._made + len(made), dtype=np.uint32)
        try:
            self._shards.update_batch(numbers, np.array(made, np.uint32))
        except MapError:  # older kernels take maps one at a time
            for number, fd in zip(numbers.tolist(), made, strict=True):
                self._shards.update(number, fd)


def _create(opened: ExitStack) -> int:
    options = ffi.new(
        "struct bpf_map_create_opts *",
        {"sz": ffi.sizeof("struct bpf_map_create_opts"), "map_flags": lib.BPF_F_MMAPABLE},
    )
    size = 4 * lib.SHARD_WORDS
    fd = int(lib.bpf_map_create(lib.BPF_MAP_TYPE_ARRAY, b"shard", 4, size, 1, options))
    if fd < 0:
        raise MapError(f"cannot create a map for unwind tables: {os.strerror(-fd)}")
    opened.callback(os.close, fd)
    return fd


def _map(fd: int) -> Words:
    try:
        return np.frombuffer(mmap.mmap(fd, 4 * lib.SHARD_WORDS), np.uint32)
    except OSError as error:
        raise MapError(f"cannot map a map for unwind tables: {error.strerror}") from None
