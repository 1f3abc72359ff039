"""Records and counts, joined by key."""

from __future__ import annotations

import numpy as np

from ebprof._native import lib
from ebprof.abi import SAMPLE_KEY, STACK_RECORD
from ebprof.bpf.records import Records
from ebprof.recording.stacks import StackStore, object_address, object_number

USER, KERNEL = 111, 222


def record(user: list[int], kernel: list[int], comm: str = "app", pid: int = 7) -> bytes:
    """One record as the BPF side sends it."""
    head = np.zeros(1, STACK_RECORD)
    head["type"] = lib.RECORD_STACK
    head["user_frames"], head["kernel_frames"] = len(user), len(kernel)
    head["comm"] = comm.encode()
    head["key"]["pid"] = pid
    head["key"]["user_stack"] = USER if user else 0
    head["key"]["kernel_stack"] = KERNEL if kernel else 0
    return head.tobytes() + np.array(user + kernel, np.uint64).tobytes()


def records(*parts: bytes) -> Records:
    """Records as one drain brings them."""
    starts = np.cumsum([0, *map(len, parts)])[:-1]
    return Records(b"".join(parts), starts.tolist(), [], [])


def test_names_are_printable() -> None:
    store = StackStore()
    store.add(records(record([1], [], comm="a\x1b[2J\r\nb")))
    assert list(store.comms.values()) == ["a\ufffd[2J\ufffd\ufffdb"]


def test_frames_are_kept_by_their_stack() -> None:
    store = StackStore()
    new = store.add(records(record([1, 2, 3], [9, 8])))
    assert store.user[USER].tolist() == [1, 2, 3]
    assert store.kernel[KERNEL].tolist() == [9, 8]
    assert [(pid, user.tolist(), kernel.tolist()) for pid, user, kernel in new] == [
        (7, [1, 2, 3], [9, 8])
    ]


def test_a_stack_is_new_once() -> None:
    store = StackStore()
    store.add(records(record([1, 2, 3], [])))
    assert store.add(records(record([1, 2, 3], [], pid=8))) == []


def test_counts_of_both_halves_add_up() -> None:
    store = StackStore()
    keys = np.zeros(2, SAMPLE_KEY)
    keys["tid"] = [1, 2]
    store.count(keys, np.array([3, 4], np.uint64))
    store.count(keys[:1], np.array([5], np.uint64))
    assert store.counts == {keys[0].tobytes(): 8, keys[1].tobytes(): 4}


def test_a_name_that_is_no_utf8_is_shown() -> None:
    store = StackStore()
    raw = record([1], [])
    at = STACK_RECORD.fields["comm"][1]  # type: ignore[index]
    store.add(records(raw[:at] + b"\xff" + raw[at + 1 :]))
    assert list(store.comms.values()) == ["\ufffdpp"]


def test_frames_tell_object_and_address() -> None:
    frames = np.array([5 << 48 | 0x1234, 0x7FFF12345678], np.uint64)
    assert object_number(frames).tolist() == [5, 0]
    assert object_address(frames).tolist() == [0x1234, 0x7FFF12345678]
