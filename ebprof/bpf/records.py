"""Reads the BPF ring buffer: stacks at their first sight, samples in new code, and notices."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebprof._native import ffi, lib
from ebprof.abi import DEFERRED_RECORD, STACK_RECORD
from ebprof.bpf.maps import BpfMap
from ebprof.bpf.sideband import Bound, Overrun, Unmapped
from ebprof.errors import UnsupportedError


@dataclass(frozen=True, slots=True)
class DeferredSample:
    """A sample that is still to be unwound and counted.

    time: CLOCK_MONOTONIC, ns. head: DEFERRED_RECORD. record: its bytes, the stack's behind them.
    """

    time: int
    pid: int
    head: Any
    record: memoryview


@dataclass(frozen=True, slots=True)
class Records:
    """What one drain brought. Records lie back to back in `data`.

    stacks: offsets of stack records; notices: (pid, address), address 0 for an unknown process.
    unmapped: mappings that BPF programs found to be gone, and processes with too many of these.
    """

    data: bytes
    stacks: list[int]
    deferred: list[DeferredSample]
    notices: list[tuple[int, int]]
    unmapped: list[Unmapped | Overrun]


class RecordReader:
    """The consumer's end of a ring buffer map; `fd` becomes readable when there is something."""

    def __init__(self, ring: BpfMap) -> None:
        self.fd = ring.fd
        self._reader = ffi.new("struct record_reader *")
        if lib.record_reader_open(ring.fd, self._reader):
            raise UnsupportedError(f"cannot read ring buffer: {os.strerror(ffi.errno)}")

    def drain(self, bound: Bound) -> Records:
        """Everything that was written since the last call."""
        reader = self._reader
        lib.record_reader_drain(reader)
        data = bytes(ffi.buffer(reader.data, reader.size)) if reader.size else b""
        reader.size = 0
        return split(data, bound)

    def close(self) -> None:
        """Give the mapping of the ring back."""
        lib.record_reader_close(self._reader)


_NOTICE = struct.Struct("=4xIQ")
_UNMAPPED = struct.Struct("=4xIQQQ")
"""What follows the type in notice_record and unmapped_record, of which a process can have us read
hundreds of thousands.
"""
_FRAME = 8
_ALIGNMENT = 8


def split(data: bytes, bound: Bound) -> Records:
    """Records that lie back to back, each padded to 8 bytes."""
    stacks: list[int] = []
    deferred: list[DeferredSample] = []
    notices: list[tuple[int, int]] = []
    unmapped: list[Unmapped] = []
    at = 0
    while at < len(data):
        kind = int.from_bytes(data[at : at + 4], "little")
        if kind == lib.RECORD_STACK:
            user = int.from_bytes(data[at + 4 : at + 6], "little")
            kernel = int.from_bytes(data[at + 6 : at + 8], "little")
            stacks.append(at)
            at += STACK_RECORD.itemsize + _FRAME * (user + kernel)
        elif kind == lib.RECORD_DEFERRED:
            sample = _deferred(data, at)
            deferred.append(sample)
            at += -(-len(sample.record) // _ALIGNMENT) * _ALIGNMENT
        elif kind == lib.RECORD_UNMAPPED:
            pid, time, start, size = _UNMAPPED.unpack_from(data, at)
            if bound.admits(pid, time):
                unmapped.append(Unmapped(time, pid, start, size))
            at += _UNMAPPED.size
        else:
            notices.append(_NOTICE.unpack_from(data, at))
            at += _NOTICE.size
    return Records(data, stacks, deferred, notices, [*unmapped, *bound.overruns()])


def _deferred(data: bytes, at: int) -> DeferredSample:
    head = np.frombuffer(data, DEFERRED_RECORD, 1, at)[0]
    size = DEFERRED_RECORD.itemsize + int(head["stack_size"])
    record = memoryview(data)[at : at + size]
    return DeferredSample(int(head["time"]), int(head["head"]["key"]["pid"]), head, record)
