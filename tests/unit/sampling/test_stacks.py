"""Records and counts, joined by key."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import SAMPLE_KEY, STACK_RECORD
from ebprof.bpf.records import Records
from ebprof.sampling.counts import SampleCounts
from ebprof.sampling.generations import object_address, object_number
from ebprof.sampling.stacks import StackStore

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
    return Records(b"".join(parts), starts.tolist(), [], [], [])


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


def counted(store: StackStore) -> dict[tuple[int, int], tuple[int, str]]:
    """Count and thread's name, by process and thread."""
    rows = store.counts
    return {
        (int(row["key"]["pid"]), int(row["key"]["tid"])): (
            int(row["count"]),
            store.comms[int(row["comm"])],
        )
        for row in rows
    }


def keys_of(*tids: int, number: int = 0) -> NDArray[Any]:
    """Keys of threads, in a slice of this number."""
    keys = np.zeros(len(tids), SAMPLE_KEY)
    keys["pid"], keys["tid"], keys["slice"] = 7, tids, number
    return keys


def frames(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def test_counts_of_both_halves_add_up() -> None:
    store = StackStore()
    store.count(keys_of(1, 2), frames(3, 4))
    store.count(keys_of(1), frames(5))
    assert counted(store) == {(7, 1): (8, ""), (7, 2): (4, "")}


@pytest.mark.parametrize(
    "comm, name",
    [(b"app", "app"), (b"\xffpp", "\ufffdpp"), (b"a\x1b[2J\r\nb", "a\ufffd[2J\ufffd\ufffdb")],
)
def test_a_key_has_the_name_of_its_thread_as_it_can_be_shown(comm: bytes, name: str) -> None:
    store = StackStore()
    raw = record([1], [], comm=len(comm) * "?")
    store.add(records(raw.replace(b"?" * len(comm), comm)))
    keys = keys_of(0)
    keys["user_stack"] = USER
    store.count(keys, frames(2))
    assert counted(store) == {(7, 0): (2, name)}


def test_a_key_that_was_seen_but_never_counted_is_no_sample() -> None:
    store = StackStore()
    store.add(records(record([1], [])))
    assert counted(store) == {}
    assert store.unique == 0


def test_unique_stacks_are_those_of_all_processes() -> None:
    store = StackStore()
    keys = keys_of(1, 2, 3)
    keys["user_stack"], keys["kernel_stack"] = [5, 5, 5], [6, 6, 7]
    store.count(keys, frames(1, 1, 1))
    assert store.unique == 2


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=9), max_size=6))
def test_no_count_is_lost_however_often_they_are_merged(
    batches: list[list[tuple[int, int]]],
) -> None:
    merged_often = SampleCounts(min_merge=3)
    expected: Counter[int] = Counter()
    for batch in batches:
        tids = [tid for tid, _ in batch]
        merged_often.add(keys_of(*tids), frames(*(count for _, count in batch)))
        for tid, count in batch:
            merged_often.see(keys_of(tid)[0], b"name%d" % tid, count)
            expected[tid] += 2 * count
    rows = merged_often.rows
    names = [merged_often.comms[number] for number in rows["comm"].tolist()]
    found = dict(zip(rows["key"]["tid"].tolist(), rows["count"].tolist(), strict=True))
    assert found == dict(expected)
    assert names == [f"name{tid}" for tid in rows["key"]["tid"].tolist()]


def by_slice(counts: SampleCounts) -> dict[tuple[int, int], int]:
    """Counts by slice and thread."""
    keys = counts.rows["key"]
    rows = zip(keys["slice"].tolist(), keys["tid"].tolist(), strict=True)
    return dict(zip(rows, counts.rows["count"].tolist(), strict=True))


def test_slices_are_kept_apart() -> None:
    counts = SampleCounts()
    for number in (0, 5, 5):
        counts.add(keys_of(1, 2, number=number), frames(1, 2))
    counts.see(keys_of(1, number=5)[0], b"name", 4)
    assert by_slice(counts) == {(0, 1): 1, (0, 2): 2, (5, 1): 6, (5, 2): 4}
    assert counts.joined_slices == 1


def test_slices_become_longer_before_they_are_too_many() -> None:
    counts = SampleCounts(min_merge=0, max_sliced=8)
    for number in range(21):
        counts.add(keys_of(1, 2, number=number), frames(1, 10))
        assert len(counts.rows) <= 8
    assert counts.joined_slices == 8
    assert by_slice(counts) == {
        (0, 1): 8, (0, 2): 80, (1, 1): 8, (1, 2): 80, (2, 1): 5, (2, 2): 50
    }  # fmt: skip


def test_keys_that_are_too_many_by_themselves_are_in_one_slice() -> None:
    counts = SampleCounts(min_merge=0, max_sliced=3)
    for number in range(9):
        counts.add(keys_of(1, 2, 3, 4, number=number), frames(1, 1, 1, 1))
    assert by_slice(counts) == {(0, tid): 9 for tid in (1, 2, 3, 4)}


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 3)), max_size=40),
    st.integers(1, 12),
)
def test_no_count_is_lost_however_often_slices_are_joined(
    taken: list[tuple[int, int]], max_sliced: int
) -> None:
    counts = SampleCounts(min_merge=2, max_sliced=max_sliced)
    for number, tid in taken:
        counts.add(keys_of(tid, number=number), frames(1))
    expected: Counter[tuple[int, int]] = Counter()
    for number, tid in taken:
        expected[number // counts.joined_slices, tid] += 1
    assert by_slice(counts) == expected


def test_a_store_says_how_long_slices_became(monkeypatch: pytest.MonkeyPatch) -> None:
    assert StackStore().slice_ns == 0
    store = StackStore(slice_ns=10)
    store.count(keys_of(1, number=0), frames(1))
    store.count(keys_of(1, number=1), frames(1))
    assert (store.slice_ns, store.slices_joined) == (10, 0)
    monkeypatch.setattr(store._counts, "_max_sliced", 1)
    store.count(keys_of(1, number=3), frames(1))
    assert (store.slice_ns, store.slices_joined) == (40, 4)


def test_many_samples_take_little_memory() -> None:
    counts = SampleCounts()
    tracemalloc.start()
    try:
        for start in range(0, 200_000, 10_000):
            counts.add(keys_of(*range(start, start + 10_000)), np.ones(10_000, np.uint64))
        assert len(counts.rows) == 200_000
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 200_000 * 100


def test_objects_that_are_named_and_that_are_counted() -> None:
    store = StackStore()
    store.add(records(record([in_object(5, 1), in_object(6, 2)], [])))
    assert [store.names_object(number) for number in (4, 5, 6)] == [False, True, True]
    assert store.counted_objects() == set()
    keys = keys_of(1)
    keys["user_stack"] = USER
    store.count(keys, frames(1))
    assert store.counted_objects() == {5, 6}
    for _ in range(2):
        store.count(keys_of(1), frames(1))
    assert store.counted_objects() == set(), "of the last two counts"


def test_addresses_outside_of_objects_are_known_by_process() -> None:
    store = StackStore()
    stack = [0x7000, in_object(5, 1), 0x8000]
    store.add(records(record(stack, [], pid=7), record(stack, [], pid=8)))
    assert store.take_outside(7) == {0x7000, 0x8000}
    assert store.take_outside(7) == set()
    assert store.take_outside(8) == {0x7000, 0x8000}
    assert store.take_outside(9) == set()


def in_object(number: int, address: int) -> int:
    return number << lib.OBJECT_SHIFT | address


def test_frames_tell_object_and_address() -> None:
    stack = frames(in_object(5, 0x1234), 0x7FFF12345678)
    assert object_number(stack).tolist() == [5, 0]
    assert object_address(stack).tolist() == [0x1234, 0x7FFF12345678]
