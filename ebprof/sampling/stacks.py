"""What the BPF side reported, joined: frames by stack, counts by key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import STACK_RECORD
from ebprof.bpf.records import DeferredSample, Records
from ebprof.sampling.counts import Rows, SampleCounts, WindowCounts
from ebprof.unwind.replay import UnwoundStack

Frames = NDArray[np.uint64]
NewStack = tuple[int, Frames, Frames]
"""Process, user frames, kernel frames."""

_NO_FRAMES: Frames = np.empty(0, np.uint64)


class FramesByStack(MutableMapping[int, Frames]):
    """Frames uint64[n], leaf first, by the stack's hash; 8 bytes a frame and 100 a stack."""

    def __init__(self) -> None:
        self._bytes: dict[int, bytes] = {}

    def __getitem__(self, name: int) -> Frames:
        return np.frombuffer(self._bytes[name], np.uint64)

    def __setitem__(self, name: int, frames: Frames) -> None:
        self._bytes[name] = frames.tobytes()

    def __delitem__(self, name: int) -> None:
        del self._bytes[name]

    def __iter__(self) -> Iterator[int]:
        return iter(self._bytes)

    def __len__(self) -> int:
        return len(self._bytes)

    def __contains__(self, name: object) -> bool:
        return name in self._bytes

    def keep(self, name: int, frames: Frames) -> Frames | None:
        """Store a stack; returns it if it is new."""
        if not len(frames) or name in self._bytes:
            return None
        self[name] = frames
        return self[name]


class StackStore:
    """Stacks of a run.

    user, kernel: frames by the stack's hash. objects: numbers that user frames name.
    slice_ns: of the slices of time that keys come in; 0: they come in none.
    """

    def __init__(self, slice_ns: int = 0) -> None:
        self._slice_ns = slice_ns
        self.user = FramesByStack()
        self.kernel = FramesByStack()
        self.objects: set[int] = set()
        self._counts = SampleCounts()
        self._counted: list[NDArray[np.uint64]] = []
        self._outside: set[int] = set()
        self._met: set[int] = set()
        self._outside_by_pid: dict[int, set[int]] = {}
        self._unique = 0

    @property
    def unique(self) -> int:
        """How many different pairs of user and kernel stack were counted; those that were counted
        in several windows (`take_counts`) are several.
        """
        return self._unique + _unique(self.counts)

    @property
    def counts(self) -> Rows:
        """COUNTED_KEY[n]: samples by key."""
        return self._counts.rows

    @property
    def slices_joined(self) -> int:
        """How many slices one in `counts` is, where it is more than one; else 0."""
        joined = self._counts.joined_slices
        return joined if joined > 1 else 0

    @property
    def slice_ns(self) -> int:
        """Length of the slices in `counts`: a multiple of what was asked for when too many."""
        return self._slice_ns * self._counts.joined_slices

    def take_counts(self) -> WindowCounts:
        """What was counted since the last call; frames and names stay."""
        self._unique += _unique(self.counts)
        return WindowCounts(self._counts.take(), self.comms, self.slice_ns)

    @property
    def comms(self) -> list[str]:
        """Names of threads, by the numbers in `counts`."""
        return self._counts.comms

    def add(self, records: Records) -> list[NewStack]:
        """Take stacks in; returns (pid, user frames, kernel frames) of those that are new."""
        new: list[NewStack] = []
        for at in records.stacks:
            head = np.frombuffer(records.data, STACK_RECORD, 1, at)[0]
            key, user_frames = head["key"], int(head["user_frames"])
            size = user_frames + int(head["kernel_frames"])
            frames = np.frombuffer(records.data, np.uint64, size, at + STACK_RECORD.itemsize)
            self._counts.see(key, bytes(head["comm"]))
            self._met.add(int(key["pid"]))
            user = self._keep_user(int(key["user_stack"]), frames[:user_frames], int(key["pid"]))
            kernel = self.kernel.keep(int(key["kernel_stack"]), frames[user_frames:])
            if user is not None or kernel is not None:
                new.append(
                    (
                        int(key["pid"]),
                        _NO_FRAMES if user is None else user,
                        _NO_FRAMES if kernel is None else kernel,
                    )
                )
        return new

    def add_unwound(self, sample: DeferredSample, stack: UnwoundStack) -> NewStack:
        """Count a sample that was unwound here; returns (pid, user frames, kernel frames)."""
        head = sample.head["head"]
        key = head["key"].copy()
        key["user_stack"], key["stop"] = stack.name, stack.stop
        kernel = sample.head["kernel"][: head["kernel_frames"]]
        self._counts.see(key, bytes(head["comm"]), 1)
        self._met.add(sample.pid)
        self._keep_user(stack.name, stack.frames, sample.pid)
        self.kernel.keep(int(key["kernel_stack"]), kernel)
        return sample.pid, stack.frames, kernel.copy()

    def take_met(self) -> set[int]:
        """Processes of which stacks came since the last call."""
        met, self._met = self._met, set()
        return met

    def count(self, keys: NDArray[Any], counts: NDArray[np.uint64]) -> None:
        """Add counts by key: SAMPLE_KEY[n], uint64[n]."""
        self._counts.add(keys, counts)
        self._counted = [*self._counted[-1:], np.unique(keys["user_stack"])]

    def counted_objects(self) -> set[int]:
        """Numbers of the objects that samples of the last two counts met."""
        names = {name for names in self._counted for name in names.tolist()}
        return numbers_in(self.user[name] for name in names if name in self.user)

    def take_outside(self, pid: int) -> set[int]:
        """Addresses outside of any object in a process's stacks; forgets which they are."""
        names = self._outside_by_pid.pop(pid, set())
        frames = (frame for name in names for frame in self.user[name].tolist())
        return {frame for frame in frames if not frame >> lib.OBJECT_SHIFT}

    def _keep_user(self, name: int, frames: Frames, pid: int) -> Frames | None:
        kept = self.user.keep(name, frames)
        if kept is not None:
            numbers = set(object_number(kept).tolist())
            self.objects |= numbers
            if 0 in numbers:
                self._outside.add(name)
        if name in self._outside:
            self._outside_by_pid.setdefault(pid, set()).add(name)
        return kept


def _unique(rows: Rows) -> int:
    return len(np.unique(rows["key"][["user_stack", "kernel_stack"]]))


def numbers_in(stacks: Iterable[Frames]) -> set[int]:
    """Numbers of the objects that frames name, 0 for none."""
    gathered = list(stacks)
    return set(object_number(np.concatenate(gathered)).tolist()) if gathered else set()


def object_number(frames: Frames) -> NDArray[np.uint64]:
    """Which object each user frame lies in, 0 for none: uint64[n]."""
    return frames >> np.uint64(lib.OBJECT_SHIFT)


def object_address(frames: Frames) -> NDArray[np.uint64]:
    """The address of each user frame in its object: uint64[n]."""
    return frames & np.uint64((1 << lib.OBJECT_SHIFT) - 1)
