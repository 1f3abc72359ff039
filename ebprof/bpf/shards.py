"""Memory for unwind tables that BPF programs and Python share: map values, mmapped."""

from __future__ import annotations

import mmap
import os

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.bpf.maps import BpfMap, MapError


class ShardMaps:
    """Makes shards (uint32[SHARD_WORDS] each) and puts them into the array of maps."""

    def __init__(self, shards: BpfMap) -> None:
        self._shards = shards
        self._made = 0

    def new_shard(self) -> NDArray[np.uint32] | None:
        """The next shard's words, all zero; None when there are MAX_SHARDS of them."""
        if self._made == lib.MAX_SHARDS:
            return None
        options = ffi.new(
            "struct bpf_map_create_opts *",
            {
                "sz": ffi.sizeof("struct bpf_map_create_opts"),
                "map_flags": lib.BPF_F_MMAPABLE,
            },
        )
        size = 4 * lib.SHARD_WORDS
        fd = lib.bpf_map_create(lib.BPF_MAP_TYPE_ARRAY, b"shard", 4, size, 1, options)
        if fd < 0:
            raise MapError(f"cannot create a map for unwind tables: {os.strerror(-fd)}")
        try:
            memory = mmap.mmap(fd, size)
            self._shards.update(self._made, fd)
        finally:
            os.close(fd)
        self._made += 1
        return np.frombuffer(memory, np.uint32)
