"""Stacks of numbers become samples with names, here by a stand-in for the symbolizer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import SAMPLE_KEY
from ebprof.identity.sightings import Sightings
from ebprof.model import KERNEL_PATH, Frame, Location, Mapping, Samples
from ebprof.sampling.naming import Namer
from ebprof.sampling.resolve import Resolver, calls
from ebprof.sampling.retention import Retention
from ebprof.sampling.stacks import StackStore
from ebprof.sampling.windows import Windows
from ebprof.walls import Walls


@dataclass
class FakeFile:
    """Stands for an object file by its name."""

    name: str
    is_closed: bool = False

    @property
    def key(self) -> str:
        return f"key of {self.name}"

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeObject:
    """An object, as a store has it."""

    number: int
    file: FakeFile


class FakeObjects:
    """Object 1 is `a.out`, object 2 `libc`, until they are dropped."""

    is_short_of_numbers = False

    def __init__(self) -> None:
        self.known = {
            number: FakeObject(number, FakeFile(name))
            for number, name in ((1, "a.out"), (2, "libc"))
        }

    def numbered(self, number: int) -> FakeObject | None:
        return self.known.get(number)

    def is_object(self, entry: object) -> bool:
        return False


@dataclass
class FakeSymbolizer:
    """Names a location by where it was asked for; `done` is what else it had to do.

    has_perf_map: processes of which it knows a name for the address 0x7000.
    """

    has_perf_map: tuple[int, ...] = (1, 2)
    known: dict[str, dict[int, Location]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def object_locations(self, file: FakeFile, addresses: Iterable[int]) -> dict[int, Location]:
        assert not file.is_closed
        found = named(file.name, addresses)
        self.known.setdefault(file.key, {}).update(found)
        return found

    def kernel_locations(self, addresses: Iterable[int]) -> dict[int, Location]:
        return named(KERNEL_PATH, addresses)

    def jit_locations(
        self, pid: int, addresses: Iterable[int], is_object: object
    ) -> dict[int, Location]:
        has_name = pid in self.has_perf_map
        return {
            a: named(f"jit-{pid}", [a])[a] if has_name and a == 0x7000 else self.unknown_location(a)
            for a in addresses
        }

    def known_locations(self, key: str, addresses: Iterable[int]) -> dict[int, Location]:
        return {a: self.known[key][a] for a in addresses if a in self.known[key]}

    def unknown_location(self, address: int) -> Location:
        return named("//anon", [address])[address]

    def watch_jit(self, pid: int) -> None:
        self.done.append(f"watch {pid}")

    def forget_object(self, key: str) -> None:
        self.done.append(f"forget {key}")

    def forget_process(self, pid: int) -> None:
        self.done.append(f"forget {pid}")
        self.has_perf_map = ()


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


Found = list[tuple[int, list[str], str, int]]


class World:
    """A resolver over stand-ins."""

    def __init__(self) -> None:
        self.objects = FakeObjects()
        self.symbolizer = FakeSymbolizer()
        self.resolver = Resolver(cast(Any, self.objects), cast(Any, self.symbolizer))
        self.store = StackStore()

    def sampled(self, pid: int, name: int, *stack: int) -> None:
        """A stack is new in a process, and counted once."""
        self.store.user[name] = frames(*stack)
        self.store.count(key(pid, name), frames(1))
        self.resolver.submit([(pid, self.store.user[name], frames())])

    def drop(self, number: int) -> FakeFile:
        known = self.objects.known[number]
        self.resolver.drop(cast(Any, known))
        del self.objects.known[number]
        return known.file

    def samples(self) -> Samples:
        """What was counted, once all that was submitted before is looked up."""
        namer = Namer(self.resolver, Sightings(Walls()))
        retention = Retention(self.store, cast(Any, self.objects), self.resolver, namer)
        windows = Windows(self.store, self.resolver, namer, retention, Walls())
        windows.cut(1.0, frozenset())
        (window,) = windows.rest()
        return window.samples

    def finish(self) -> Found:
        """The same, the most frequent first."""
        found = [
            (s.pid, [loc.frames[0].function for loc in s.locations], s.stop, s.count)
            for s in self.samples()
        ]
        return sorted(found, key=lambda one: -one[3])


def resolve(store: StackStore) -> Found:
    world = World()
    world.store = store
    world.resolver.submit([(1, user, frames()) for user in store.user.values()])
    return world.finish()


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


def test_no_sample_is_lost() -> None:
    store = StackStore()
    store.user[5], store.user[6] = frames(in_object(1, 1)), frames(in_object(1, 2))
    store.count(key(1, 5), frames(1))
    store.count(key(1, 6), frames(9))
    store.count(key(3, 0, stop=lib.STOP_NO_USER), frames(4))
    found = resolve(store)
    assert [count for _, _, _, count in found] == [9, 4, 1]
    assert found[1] == (3, [], "no_user_stack", 4)


def test_a_stack_in_several_slices_is_a_sample_in_each_and_one_tuple() -> None:
    world = World()
    world.store = StackStore(slice_ns=500)
    world.store.user[5], world.store.kernel[6] = frames(in_object(1, 1)), frames(0xFFFF0010)
    for number in (0, 3):
        made = key(1, 5, 6)
        made["slice"] = number
        world.store.count(made, frames(2))
    first, second = world.samples()
    assert {(one.time_ns, one.count) for one in (first, second)} == {(0, 2), (1500, 2)}
    assert first.locations is second.locations


def test_without_slices_a_sample_has_no_time() -> None:
    world = World()
    world.sampled(1, 5, in_object(1, 0x10))
    assert [one.time_ns for one in world.samples()] == [None]


def test_an_object_that_is_not_known_is_an_address() -> None:
    store = StackStore()
    store.user[5] = frames(in_object(9, 0x10))
    store.count(key(1, 5), frames(1))
    ((_, names, _, _),) = resolve(store)
    assert len(names) == 1


def test_callers_are_looked_up_at_the_call() -> None:
    assert calls(frames(100, 200, 300)).tolist() == [100, 199, 299]
    assert calls(frames()).tolist() == []


def test_an_object_is_closed_after_its_frames_are_looked_up() -> None:
    world = World()
    world.sampled(1, 5, in_object(1, 0x10), in_object(2, 0x20))
    file = world.drop(1)
    world.sampled(2, 6, in_object(2, 0x30))
    assert {tuple(names) for _, names, _, _ in world.finish()} == {
        ("a.out@10", "libc@20"),
        ("libc@30",),
    }
    assert file.is_closed
    assert world.symbolizer.done == ["forget key of a.out"]


def test_a_number_that_is_used_again_names_the_new_object() -> None:
    world = World()
    world.drop(1)
    world.objects.known[1] = FakeObject(1, FakeFile("b.out"))
    world.sampled(1, 5, in_object(1, 0x10))
    assert world.finish() == [(1, ["b.out@10"], "complete", 1)]


def test_a_process_that_ends_keeps_its_names_but_not_its_perf_map() -> None:
    world = World()
    world.sampled(1, 5, 0x7000, 0x8000, in_object(1, 0x10))
    world.resolver.end_process(1, {0x7000, 0x8000})
    assert world.finish() == [(1, ["jit-1@7000", "//anon@8000", "a.out@10"], "complete", 1)]
    assert world.symbolizer.done == ["watch 1", "forget 1"]


def test_a_process_without_addresses_outside_of_objects_has_no_perf_map_to_forget() -> None:
    world = World()
    world.sampled(1, 5, in_object(1, 0x10))
    world.resolver.end_process(1, set())
    world.finish()
    assert world.symbolizer.done == []


def test_a_number_of_a_process_that_is_used_again_is_watched_again() -> None:
    world = World()
    world.sampled(1, 5, 0x7000)
    world.resolver.end_process(1, {0x7000})
    world.sampled(1, 6, 0x8000)
    found = world.finish()
    assert {names[0] for _, names, _, _ in found} == {"jit-1@7000", "//anon@8000"}
    assert world.symbolizer.done == ["watch 1", "forget 1", "watch 1"]
