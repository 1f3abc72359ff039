"""BPF maps as NumPy arrays."""

from __future__ import annotations

import errno
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.abi import Dtype
from ebprof.errors import EbprofError, UnsupportedError

BATCH = 16384


class MapError(EbprofError):
    """A map operation that the kernel refused."""


def possible_cpus() -> int:
    """How many CPUs there may ever be; raises UnsupportedError where the kernel does not say."""
    found = int(lib.libbpf_num_possible_cpus())
    if found < 1:
        reason = os.strerror(-found)
        raise UnsupportedError(f"cannot read the number of CPUs: {reason}", "mount sysfs at /sys")
    return found


class BpfMap:
    """A loaded map, by its libbpf handle; the object that it came from owns it."""

    def __init__(self, handle: Any, name: str) -> None:
        self.name = name
        self.fd = int(lib.bpf_map__fd(handle))
        self.key_size = int(lib.bpf_map__key_size(handle))
        self.value_size = int(lib.bpf_map__value_size(handle))
        self.max_entries = int(lib.bpf_map__max_entries(handle))

    def update(self, key: NDArray[Any] | int, value: NDArray[Any] | int) -> None:
        """Insert or replace one entry; integers are u32. Raises MapError (map full, ...)."""
        error = lib.bpf_map_update_elem(self.fd, _bytes(key), _bytes(value), lib.BPF_ANY)
        if error:
            raise MapError(f"cannot write to map {self.name}: {os.strerror(ffi.errno)}")

    def update_batch(self, keys: NDArray[Any], values: NDArray[Any]) -> None:
        """Insert or replace entries: keys[n], values[n]. Raises MapError."""
        count = ffi.new("uint32_t *", len(keys))
        if lib.bpf_map_update_batch(self.fd, _bytes(keys), _bytes(values), count, ffi.NULL):
            raise MapError(f"cannot write to map {self.name}: {os.strerror(ffi.errno)}")

    def delete(self, key: NDArray[Any] | int) -> None:
        """Remove an entry; one that is not there is fine."""
        lib.bpf_map_delete_elem(self.fd, _bytes(key))

    def find(self, key: NDArray[Any] | int, dtype: Dtype) -> NDArray[Any] | None:
        """The value at a key (an integer is u32) as dtype[1]; None when there is no such key."""
        buffer = np.zeros(1, dtype)
        if lib.bpf_map_lookup_elem(self.fd, _bytes(key), ffi.from_buffer(buffer)):
            return None
        return buffer

    def per_cpu_sum(self, entries: int) -> NDArray[np.uint64]:
        """A per-CPU array of u64 summed over CPUs: uint64[entries]."""
        return np.array([self._per_cpu(key).sum() for key in range(entries)], np.uint64)

    def _per_cpu(self, key: int) -> NDArray[np.uint64]:
        buffer = np.zeros(possible_cpus(), np.uint64)
        if lib.bpf_map_lookup_elem(self.fd, _bytes(key), ffi.from_buffer(buffer)):
            raise MapError(f"cannot read map {self.name}: {os.strerror(ffi.errno)}")
        return buffer

    def read(
        self, keys: Dtype, values: Dtype, *, delete: bool = False
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """All entries of a hash map, in batches: keys[n], values[n]; removed when `delete`."""
        operation = lib.bpf_map_lookup_and_delete_batch if delete else lib.bpf_map_lookup_batch
        size = min(self.max_entries, BATCH)
        token = ffi.new("uint64_t[8]")
        found: list[tuple[NDArray[Any], NDArray[Any]]] = []
        start = ffi.NULL
        while True:
            key_buffer, value_buffer = np.empty(size, keys), np.empty(size, values)
            count = ffi.new("uint32_t *", size)
            result = operation(
                self.fd,
                start,
                token,
                ffi.from_buffer(key_buffer),
                ffi.from_buffer(value_buffer),
                count,
                ffi.NULL,
            )
            code = ffi.errno if result else 0
            if code == errno.ENOSPC and size < self.max_entries * 2:
                size *= 2  # a bucket larger than the batch
                continue
            if code not in (0, errno.ENOENT):
                raise MapError(f"cannot read map {self.name}: {os.strerror(code)}")
            found.append((key_buffer[: count[0]], value_buffer[: count[0]]))
            if code == errno.ENOENT:
                break
            start = token
        return (
            np.concatenate([key for key, _ in found]),
            np.concatenate([value for _, value in found]),
        )


def _bytes(value: NDArray[Any] | int) -> Any:
    array = np.array([value], np.uint32) if isinstance(value, int) else value
    return ffi.from_buffer(np.ascontiguousarray(array))
