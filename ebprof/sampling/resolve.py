"""Numbers in stacks to locations: looked up in a thread of its own, while processes are alive."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from ebprof.elf import ObjectFile, ObjectKey
from ebprof.model import Location
from ebprof.sampling.generations import Frames, object_address, object_number
from ebprof.sampling.stacks import NewStack
from ebprof.symbolize.symbolizer import Symbolizer
from ebprof.unwind.object import UnwindObject
from ebprof.unwind.objects import ObjectStore
from ebprof.walls import Walls

Task = Callable[[], None]

_WATCH_S = 1.0
"""New code of a JIT has its names looked for this often at most."""
_LAST_S = 1.0
"""How long the thread is waited for at the end: it may be reading a large file."""


class Resolver:
    """Looks frames up in a thread of its own as they come; others have things done there after it.

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
        self._closed_keys: Counter[ObjectKey] = Counter()
        self._ended: dict[int, dict[int, Location]] = {}
        self._watched: dict[int, float] = {}
        self._new_user, self._new_kernel = _News(), _News()
        self._is_closed = False
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
        for another as long as a stack names it; then `release` it.
        """
        self._dropped[known.number] = known.file
        self._tasks.put(partial(self._close_object, known.number))

    def is_closing(self, number: int) -> bool:
        """Whether an object that was dropped is not closed yet."""
        return number in self._dropped

    def release(self, number: int) -> None:
        """No stack names an object any more that was dropped."""
        self._tasks.put(partial(self._forget_object, number))

    def end_process(self, pid: int, addresses: set[int]) -> None:
        """A process is gone: look up these addresses, outside of objects, by its perf map."""
        if addresses:
            self._tasks.put(partial(self._close_perf_map, pid, addresses))

    @property
    def is_alive(self) -> bool:
        """Whether its thread still does what it is given."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Do no more than what the thread is at."""
        self._is_closed = True
        self._tasks.put(None)
        self._thread.join(_LAST_S)

    def forget_processes(self, pids: Iterable[int]) -> None:
        """Drop what was kept of processes that are gone; in its own thread."""
        for pid in pids:
            self._ended.pop(pid, None)
            self._watched.pop(pid, None)

    def renew(self) -> None:
        """Take nothing for looked up any more, as numbers may mean others; in its own thread."""
        self._new_user, self._new_kernel = _News(), _News()
        self._symbolizer.trim()

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
        return found | self._symbolizer.jit_locations(pid, left, self._objects.is_object)

    def _object_locations(self, number: int, addresses: list[int]) -> dict[int, Location]:
        known = self._objects.numbered(number)
        file = known.file if known else self._dropped.get(number)
        if file is not None:
            return self._symbolizer.object_locations(file, addresses)
        key = self._closed.get(number)
        return self._symbolizer.known_locations(key, addresses) if key else {}

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self._is_closed:
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
        self._closed_keys[file.key] += 1
        self._symbolizer.forget_object(file.key)
        file.close()

    def _forget_object(self, number: int) -> None:
        """Drop locations of a closed file, unless another number of the same file has them."""
        key = self._closed.pop(number, None)
        if key is None:
            return
        self._closed_keys[key] -= 1
        if not self._closed_keys[key]:
            del self._closed_keys[key]
            self._symbolizer.forget_locations(key)

    def _close_perf_map(self, pid: int, addresses: set[int]) -> None:
        found = self._symbolizer.jit_locations(pid, addresses, self._objects.is_object)
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


def distinct(stacks: Iterable[Frames]) -> Frames:
    """The frames of some stacks, each once: uint64[n]."""
    gathered = list(stacks)
    return np.unique(np.concatenate(gathered)) if gathered else np.empty(0, np.uint64)
