"""What the BPF side reported, joined: frames by stack, counts by key."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib
from ebprof.abi import SAMPLE_KEY, STACK_RECORD
from ebprof.bpf.records import DeferredSample, Records
from ebprof.procfs.text import printable
from ebprof.unwind.replay import UnwoundStack

Frames = NDArray[np.uint64]
NewStack = tuple[int, Frames, Frames]
"""Process, user frames, kernel frames."""


@dataclass(slots=True)
class StackStore:
    """Stacks of a run.

    user, kernel: frames uint64[n], leaf first, by the stack's hash. comms: by key (its bytes).
    counts: samples by key.
    """

    user: dict[int, Frames] = field(default_factory=dict)
    kernel: dict[int, Frames] = field(default_factory=dict)
    comms: dict[bytes, str] = field(default_factory=dict)
    counts: Counter[bytes] = field(default_factory=Counter)

    @property
    def unique(self) -> int:
        """How many different pairs of user and kernel stack were counted."""
        keys = np.frombuffer(b"".join(self.counts), SAMPLE_KEY)
        return len(np.unique(keys[["user_stack", "kernel_stack"]]))

    def add(self, records: Records) -> list[NewStack]:
        """Take stacks in; returns (pid, user frames, kernel frames) of those that are new."""
        new: list[NewStack] = []
        empty = np.empty(0, np.uint64)
        for at in records.stacks:
            head = np.frombuffer(records.data, STACK_RECORD, 1, at)[0]
            key = head["key"]
            frames = np.frombuffer(
                records.data,
                np.uint64,
                int(head["user_frames"]) + int(head["kernel_frames"]),
                at + STACK_RECORD.itemsize,
            )
            self.comms[key.tobytes()] = printable(bytes(head["comm"]))
            user = _keep(self.user, int(key["user_stack"]), frames[: head["user_frames"]])
            kernel = _keep(self.kernel, int(key["kernel_stack"]), frames[head["user_frames"] :])
            if user is not None or kernel is not None:
                new.append(
                    (
                        int(key["pid"]),
                        empty if user is None else user,
                        empty if kernel is None else kernel,
                    )
                )
        return new

    def add_unwound(self, sample: DeferredSample, stack: UnwoundStack) -> NewStack:
        """Count a sample that was unwound here; returns (pid, user frames, kernel frames)."""
        head = sample.head["head"]
        key = head["key"].copy()
        key["user_stack"], key["stop"] = stack.name, stack.stop
        name = key.tobytes()
        kernel = sample.head["kernel"][: head["kernel_frames"]]
        self.comms[name] = printable(bytes(head["comm"]))
        self.counts[name] += 1
        _keep(self.user, stack.name, stack.frames)
        _keep(self.kernel, int(key["kernel_stack"]), kernel)
        return sample.pid, stack.frames, kernel

    def count(self, keys: NDArray[Any], counts: NDArray[np.uint64]) -> None:
        """Add counts by key: SAMPLE_KEY[n], uint64[n]."""
        for key, count in zip(keys, counts.tolist(), strict=True):
            self.counts[key.tobytes()] += count


def _keep(stacks: dict[int, Frames], name: int, frames: Frames) -> Frames | None:
    if not len(frames) or name in stacks:
        return None
    stacks[name] = frames.copy()
    return stacks[name]


def object_number(frames: Frames) -> NDArray[np.uint64]:
    """Which object each user frame lies in, 0 for none: uint64[n]."""
    return frames >> np.uint64(lib.OBJECT_SHIFT)


def object_address(frames: Frames) -> NDArray[np.uint64]:
    """The address of each user frame in its object: uint64[n]."""
    return frames & np.uint64((1 << lib.OBJECT_SHIFT) - 1)
