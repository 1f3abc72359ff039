"""Stacks of numbers to samples with names; most of it done while recording goes on."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import STOP_REASONS
from ebprof.elf import ObjectFile, ObjectKey
from ebprof.model import NONE, SAMPLE, Builder, Location, Samples, grouped
from ebprof.sampling.stacks import Frames, NewStack, StackStore, object_address, object_number
from ebprof.symbolize.symbolizer import Symbolizer
from ebprof.unwind.objects import ObjectStore, UnwindObject
from ebprof.walls import Walls

Stack = tuple[Location, ...]
Task = Callable[[], None]

_WATCH_S = 1.0
"""New code of a JIT has its names looked for this often at most."""


class Resolver:
    """Looks frames up in a thread of its own as they come, then makes the samples.

    What goes away (an object, a process with a perf map) is closed in the same thread, after the
    frames that came before were looked up.
    """

    def __init__(
        self, objects: ObjectStore, symbolizer: Symbolizer, walls: Walls | None = None
    ) -> None:
        self._walls = walls or Walls()
        self._objects = objects
        self._symbolizer = symbolizer
        self._dropped: dict[int, ObjectFile] = {}
        self._closed: dict[int, ObjectKey] = {}
        self._ended: dict[int, dict[int, Location]] = {}
        self._watched: dict[int, float] = {}
        self._new_user, self._new_kernel = _News(), _News()
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="symbols", daemon=True)
        self._thread.start()

    def submit(self, stacks: list[NewStack]) -> None:
        """Have (pid, user frames, kernel frames) looked up in the background."""
        if stacks:
            self._tasks.put(partial(self._look_up, stacks))

    def then(self, task: Task) -> None:
        """Have something else done there, once all frames that came before are looked up."""
        self._tasks.put(task)

    def drop(self, known: UnwindObject) -> None:
        """Close an object once all of its frames are looked up. Its number is not to be reused
        for another as long as a stack names it.
        """
        self._dropped[known.number] = known.file
        self._tasks.put(partial(self._close_object, known.number))

    def end_process(self, pid: int, addresses: set[int]) -> None:
        """A process is gone: look up these addresses, outside of objects, by its perf map."""
        if addresses:
            self._tasks.put(partial(self._close_perf_map, pid, addresses))

    def finish(self, store: StackStore) -> Samples:
        """All samples of a run, most frequent first."""
        self._tasks.put(None)
        self._thread.join()
        return _Assembly(self, store).samples()

    def user_locations(self, frames: Frames) -> dict[int, Location]:
        """Locations of frames in objects, by frame; those in none are left out."""
        found: dict[int, Location] = {}
        numbers = object_number(frames)
        for number in np.unique(numbers).tolist():
            chosen = frames[numbers == number]
            addresses = object_address(chosen).tolist()
            locations = self._object_locations(number, addresses)
            found.update(
                (frame, locations[address])
                for frame, address in zip(chosen.tolist(), addresses, strict=True)
                if address in locations
            )
        return found

    def kernel_locations(self, addresses: Frames) -> dict[int, Location]:
        """Locations of kernel addresses."""
        return self._symbolizer.kernel_locations(addresses.tolist())

    def jit_locations(self, pid: int, addresses: Iterable[int]) -> dict[int, Location]:
        """Locations of a process's addresses outside of any object."""
        wanted = set(addresses)
        found = {a: one for a, one in self._ended.get(pid, {}).items() if a in wanted}
        left = wanted - found.keys()
        if pid in self._ended and pid not in self._watched:
            return found | {address: self._symbolizer.unknown_location(address) for address in left}
        return found | self._symbolizer.jit_locations(pid, left)

    def _object_locations(self, number: int, addresses: list[int]) -> dict[int, Location]:
        known = self._objects.numbered(number)
        file = known.file if known else self._dropped.get(number)
        if file is not None:
            return self._symbolizer.object_locations(file, addresses)
        key = self._closed.get(number)
        return self._symbolizer.known_locations(key, addresses) if key else {}

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            with self._walls.around("names"):
                task()

    def _look_up(self, stacks: list[NewStack]) -> None:
        self.user_locations(self._new_user.of(frames for _, frames, _ in stacks))
        self.kernel_locations(self._new_kernel.of(calls(frames) for _, _, frames in stacks))
        for pid, frames, _ in stacks:
            if not object_number(frames).all():
                self._watch_jit(pid)

    def _watch_jit(self, pid: int) -> None:
        """Have names read while they hold: a JIT uses addresses again, and writes maps anew."""
        now = time.monotonic()
        if now >= self._watched.get(pid, 0) + _WATCH_S:
            self._watched[pid] = now
            self._symbolizer.watch_jit(pid)

    def _close_object(self, number: int) -> None:
        file = self._dropped.pop(number)
        self._closed[number] = file.key
        self._symbolizer.forget_object(file.key)
        file.close()

    def _close_perf_map(self, pid: int, addresses: set[int]) -> None:
        found = self._symbolizer.jit_locations(pid, addresses)
        unknown = self._symbolizer.unknown_location(0).mapping
        self._ended.setdefault(pid, {}).update(
            (address, one) for address, one in found.items() if one.mapping != unknown
        )
        self._symbolizer.forget_process(pid)
        self._watched.pop(pid, None)


class _News:
    """Tells frames that were not there before: of a new stack, most were."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def of(self, stacks: Iterable[Frames]) -> Frames:
        """The frames of these stacks that no earlier call had."""
        new = set(distinct(stacks).tolist()) - self._seen
        self._seen |= new
        return np.fromiter(new, np.uint64, len(new))


def calls(kernel: Frames) -> Frames:
    """Kernel addresses with those of callers moved into the call instruction."""
    moved = kernel.copy()
    moved[1:] -= np.uint64(1)
    return moved


class _Assembly:
    """The last step of a run: every stack named once, every key made a sample."""

    def __init__(self, resolver: Resolver, store: StackStore) -> None:
        self._resolver = resolver
        self._store = store
        self._builder = Builder()
        self._by_frame = self._numbered(resolver.user_locations(distinct(store.user.values())))
        kernel = {name: calls(frames) for name, frames in store.kernel.items()}
        by_address = self._numbered(resolver.kernel_locations(distinct(kernel.values())))
        self._kernel = {
            name: tuple(by_address[address] for address in frames.tolist())
            for name, frames in kernel.items()
        }
        self._jit: dict[int, dict[int, int]] = {}

    def samples(self) -> Samples:
        """A sample for each key, most frequent first."""
        counted, slice_ns = self._store.counts, self._store.slice_ns
        counted = counted[np.argsort(-counted["count"].astype(np.int64), kind="stable")]
        keys = counted["key"]
        self._learn_jit(keys)
        rows = np.zeros(len(keys), SAMPLE)
        rows["stack"] = self._stacks(keys)
        rows["pid"], rows["tid"] = keys["pid"], keys["tid"]
        rows["comm"] = self._strings(self._store.comms)[counted["comm"]]
        rows["stop"] = self._strings(one.name for one in STOP_REASONS)[keys["stop"]]
        rows["time_ns"] = keys["slice"].astype(np.int64) * slice_ns if slice_ns else NONE
        self._builder.add_rows(rows, counted["count"].astype(np.int64))
        return self._builder.take()

    def _numbered(self, locations: dict[int, Location]) -> dict[int, int]:
        return {frame: self._builder.location(one) for frame, one in locations.items()}

    def _strings(self, texts: Iterable[str]) -> NDArray[np.int64]:
        return np.array([self._builder.string(one) for one in texts], np.int64)

    def _learn_jit(self, keys: Any) -> None:
        """Addresses outside of objects mean something in their own process only."""
        addresses: dict[int, set[int]] = {}
        outside = {name: self._outside(frames) for name, frames in self._store.user.items()}
        for pid, name in zip(keys["pid"].tolist(), keys["user_stack"].tolist(), strict=True):
            if outside.get(name):
                addresses.setdefault(pid, set()).update(outside[name])
        for pid, wanted in addresses.items():
            self._jit[pid] = self._numbered(self._resolver.jit_locations(pid, wanted))

    def _outside(self, frames: Frames) -> set[int]:
        return {frame for frame in frames.tolist() if frame not in self._by_frame}

    def _stacks(self, keys: Any) -> NDArray[np.int64]:
        """The number of each key's stack; a run in slices has each in many keys."""
        groups = grouped(*(keys[name] for name in ("pid", "user_stack", "kernel_stack")))
        first = keys[groups.first]
        columns = (first[name].tolist() for name in ("pid", "user_stack", "kernel_stack"))
        found = [self._stack(*one) for one in zip(*columns, strict=True)]
        return np.array(found, np.int64)[groups.of_row]

    def _stack(self, pid: int, user: int, kernel: int) -> int:
        return self._builder.stack(self._kernel.get(kernel, ()) + self._user_stack(pid, user))

    def _user_stack(self, pid: int, name: int) -> tuple[int, ...]:
        frames = self._store.user.get(name)
        if frames is None:
            return ()
        known, jit = self._by_frame, self._jit.get(pid, {})
        return tuple(known[one] if one in known else jit[one] for one in frames.tolist())


def distinct(stacks: Iterable[Frames]) -> Frames:
    """The frames of some stacks, each once: uint64[n]."""
    gathered = list(stacks)
    return np.unique(np.concatenate(gathered)) if gathered else np.empty(0, np.uint64)
