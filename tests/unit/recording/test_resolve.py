"""Stacks of numbers become samples with names, here by a stand-in for the symbolizer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import SAMPLE_KEY
from ebprof.model import KERNEL_PATH, Frame, Location, Mapping
from ebprof.recording.resolve import Resolver, calls
from ebprof.recording.stacks import StackStore


@dataclass
class FakeObject:
    """Stands for an object file by its name."""

    file: str


class FakeObjects:
    """Object 1 is `a.out`, object 2 `libc`."""

    def numbered(self, number: int) -> FakeObject | None:
        return {1: FakeObject("a.out"), 2: FakeObject("libc")}.get(number)


class FakeSymbolizer:
    """Names a location by where it was asked for."""

    def object_locations(self, file: str, addresses: Iterable[int]) -> dict[int, Location]:
        return named(file, addresses)

    def kernel_locations(self, addresses: Iterable[int]) -> dict[int, Location]:
        return named(KERNEL_PATH, addresses)

    def jit_locations(self, pid: int, addresses: Iterable[int]) -> dict[int, Location]:
        return named(f"jit-{pid}", addresses)

    def watch_jit(self, pid: int) -> None:
        pass


def named(path: str, addresses: Iterable[int]) -> dict[int, Location]:
    return {a: Location(a, Mapping(path), (Frame(f"{path}@{a:x}"),)) for a in addresses}


def frames(*numbers: int) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def in_object(number: int, address: int) -> int:
    return number << lib.OBJECT_SHIFT | address


def key(pid: int, user: int, kernel: int = 0, stop: int = 0) -> NDArray[Any]:
    made = np.zeros(1, SAMPLE_KEY)
    made["pid"], made["tid"], made["stop"] = pid, pid, stop
    made["user_stack"], made["kernel_stack"] = user, kernel
    return made


def resolve(store: StackStore) -> list[tuple[int, list[str], str, int]]:
    resolver = Resolver(cast(Any, FakeObjects()), cast(Any, FakeSymbolizer()))
    resolver.submit([(1, user, frames()) for user in store.user.values()])
    return [
        (s.pid, [loc.frames[0].function for loc in s.locations], s.stop, s.count)
        for s in resolver.finish(store)
    ]


def test_kernel_frames_come_before_user_frames() -> None:
    store = StackStore()
    store.user[5] = frames(in_object(1, 0x10), in_object(2, 0x20))
    store.kernel[6] = frames(0xFFFF0010, 0xFFFF0020)
    store.count(key(1, 5, 6), frames(3))
    (sample,) = resolve(store)
    assert sample == (
        1,
        [f"{KERNEL_PATH}@ffff0010", f"{KERNEL_PATH}@ffff001f", "a.out@10", "libc@20"],
        "complete",
        3,
    )


def test_addresses_outside_of_objects_are_asked_of_their_own_process() -> None:
    store = StackStore()
    store.user[5] = frames(0x7000, in_object(1, 0x10))
    store.count(key(1, 5), frames(1))
    store.count(key(2, 5), frames(1))
    stacks = {pid: stack for pid, stack, _, _ in resolve(store)}
    assert stacks == {1: ["jit-1@7000", "a.out@10"], 2: ["jit-2@7000", "a.out@10"]}


def test_the_most_frequent_sample_is_first_and_none_is_lost() -> None:
    store = StackStore()
    store.user[5], store.user[6] = frames(in_object(1, 1)), frames(in_object(1, 2))
    store.count(key(1, 5), frames(1))
    store.count(key(1, 6), frames(9))
    store.count(key(3, 0, stop=lib.STOP_NO_USER), frames(4))
    found = resolve(store)
    assert [count for _, _, _, count in found] == [9, 4, 1]
    assert found[1] == (3, [], "no_user_stack", 4)


def test_an_object_that_is_not_known_is_an_address() -> None:
    store = StackStore()
    store.user[5] = frames(in_object(9, 0x10))
    store.count(key(1, 5), frames(1))
    ((_, names, _, _),) = resolve(store)
    assert len(names) == 1


def test_callers_are_looked_up_at_the_call() -> None:
    assert calls(frames(100, 200, 300)).tolist() == [100, 199, 299]
    assert calls(frames()).tolist() == []
