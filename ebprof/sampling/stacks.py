"""What the BPF side reported, joined: frames by stack, counts by key."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof.abi import STACK_RECORD
from ebprof.bpf.records import DeferredSample, Records
from ebprof.sampling.counts import Rows, SampleCounts, WindowCounts
from ebprof.sampling.generations import Frames, Generation, numbers_in
from ebprof.unwind.replay import UnwoundStack

NewStack = tuple[int, Frames, Frames]
"""Process, user frames, kernel frames."""

_NO_FRAMES: Frames = np.empty(0, np.uint64)


class StackStore:
    """Stacks and counts of a run.

    Stacks are of two generations, and a stack that is sent again becomes one of the young. Those
    that are retired are kept until they are forgotten: windows that are not named yet have them.

    slice_ns: of the slices of time that keys come in; 0: they come in none.
    """

    def __init__(self, slice_ns: int = 0) -> None:
        self._slice_ns = slice_ns
        self._young, self._old = Generation(), Generation()
        self._retired: list[Generation] = []
        self._counts = SampleCounts()
        self._counted: list[NDArray[np.uint64]] = []
        self._met: set[int] = set()
        self._unique = 0

    @property
    def user(self) -> MutableMapping[int, Frames]:
        """User frames by the stack's hash."""
        return ChainMap(self._young.user, self._old.user)

    @property
    def kernel(self) -> MutableMapping[int, Frames]:
        """Kernel frames by the stack's hash."""
        return ChainMap(self._young.kernel, self._old.kernel)

    @property
    def newest(self) -> int:
        """How many user stacks the young generation has."""
        return len(self._young.user)

    def names_object(self, number: int) -> bool:
        """Whether a stack that is not forgotten names an object's number."""
        generations = (self._young, self._old, *self._retired)
        return any(number in one.objects for one in generations)

    def retire(self) -> Generation:
        """Let the old generation go, and a new one begin; `forget` is to be called with it."""
        retired, self._old, self._young = self._old, self._young, Generation()
        self._retired.append(retired)
        return retired

    def forget(self, retired: Generation) -> None:
        """Nobody needs the stacks of a generation any more. May be called by another thread."""
        self._retired.remove(retired)

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
        """What was counted since the last call, with the stacks of it."""
        self._unique += _unique(self.counts)
        comms, rows = self.comms, self._counts.take()
        return WindowCounts(rows, comms, self.user, self.kernel, self.slice_ns)

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
            kernel = self._keep_kernel(int(key["kernel_stack"]), frames[user_frames:])
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
        self._keep_kernel(int(key["kernel_stack"]), kernel)
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
        user = self.user
        return numbers_in(user[name] for name in names if name in user)

    def take_outside(self, pid: int) -> set[int]:
        """Addresses outside of any object in a process's stacks; forgets which they are."""
        return self._young.take_outside(pid) | self._old.take_outside(pid)

    def _keep_user(self, name: int, frames: Frames, pid: int) -> Frames | None:
        kept = self._young.keep_user(name, frames, pid)
        return None if name in self._old.user else kept

    def _keep_kernel(self, name: int, frames: Frames) -> Frames | None:
        kept = self._young.kernel.keep(name, frames)
        return None if name in self._old.kernel else kept


def _unique(rows: Rows) -> int:
    return len(np.unique(rows["key"][["user_stack", "kernel_stack"]]))
