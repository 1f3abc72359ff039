"""The ring buffer's bytes to records."""

from __future__ import annotations

import time

import numpy as np

from ebprof._native import lib
from ebprof.abi import DEFERRED_RECORD, NOTICE_RECORD, STACK_RECORD, UNMAPPED_RECORD
from ebprof.bpf.records import split
from ebprof.bpf.sideband import MOST_TOLD, Bound, Overrun, Unmapped


def stack(frames: int) -> bytes:
    head = np.zeros(1, STACK_RECORD)
    head["type"], head["user_frames"] = lib.RECORD_STACK, frames
    return head.tobytes() + bytes(8 * frames)


def notice(pid: int, address: int) -> bytes:
    made = np.zeros(1, NOTICE_RECORD)
    made["type"], made["pid"], made["address"] = lib.RECORD_NOTICE, pid, address
    return made.tobytes()


def unmapped(time: int, pid: int, start: int, size: int) -> bytes:
    made = np.zeros(1, UNMAPPED_RECORD)
    made["type"], made["time"], made["pid"] = lib.RECORD_UNMAPPED, time, pid
    made["start"], made["size"] = start, size
    return made.tobytes()


def deferred(pid: int, time: int, stack: bytes) -> bytes:
    head = np.zeros(1, DEFERRED_RECORD)
    head["head"]["type"], head["head"]["key"]["pid"] = lib.RECORD_DEFERRED, pid
    head["time"], head["stack_size"] = time, len(stack)
    return head.tobytes() + stack + bytes(-len(stack) % 8)


def test_a_full_ring_is_read_in_linear_time() -> None:
    """8 MiB of notices are what a process can bring about that maps code all the time."""
    began = time.process_time()
    records = split(notice(8, 0x1234) * 500_000, Bound())
    assert len(records.notices) == 500_000
    assert time.process_time() - began < 30, "it takes a second or two"


def test_of_what_one_process_unmaps_no_more_is_told_than_anybody_can_follow() -> None:
    told = [unmapped(time, 7, 0x1000, 0x1000) for time in range(MOST_TOLD + 2)]
    found = split(b"".join(told), Bound()).unmapped
    assert len(found) == MOST_TOLD + 2
    assert found[-2:] == [Overrun(MOST_TOLD, 7), Overrun(MOST_TOLD + 1, 7)]


def test_records_of_all_types_back_to_back() -> None:
    parts = [
        stack(3),
        deferred(7, 99, b"12345"),
        notice(8, 0x1234),
        unmapped(101, 10, 1 << 47, 0x2000),
        deferred(9, 100, b""),
        stack(0),
    ]
    records = split(b"".join(parts), Bound())
    assert records.stacks == [0, sum(map(len, parts[:5]))]
    assert records.unmapped == [Unmapped(101, 10, 1 << 47, 0x2000)]
    assert records.notices == [(8, 0x1234)]
    assert [(one.pid, one.time) for one in records.deferred] == [(7, 99), (9, 100)]
    assert bytes(records.deferred[0].record[-5:]) == b"12345"
    assert len(records.deferred[1].record) == DEFERRED_RECORD.itemsize
