"""Frames by stack, in generations: stacks that were not sent for a while go with theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping

import numpy as np
from numpy.typing import NDArray

from ebprof._native import lib

Frames = NDArray[np.uint64]


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


class Generation:
    """Stacks that were sent in one stretch of a run.

    user, kernel: frames by the stack's hash. objects: numbers that user frames name.
    """

    def __init__(self) -> None:
        self.user = FramesByStack()
        self.kernel = FramesByStack()
        self.objects: set[int] = set()
        self._outside: set[int] = set()
        self._outside_by_pid: dict[int, set[int]] = {}

    def keep_user(self, name: int, frames: Frames, pid: int) -> Frames | None:
        """Store a stack that a process was met in; returns it if it is new."""
        kept = self.user.keep(name, frames)
        if kept is not None:
            numbers = set(object_number(kept).tolist())
            self.objects |= numbers
            if 0 in numbers:
                self._outside.add(name)
        if name in self._outside:
            self._outside_by_pid.setdefault(pid, set()).add(name)
        return kept

    def take_outside(self, pid: int) -> set[int]:
        """Addresses outside of any object in a process's stacks; forgets which they are."""
        names = self._outside_by_pid.pop(pid, set())
        frames = (frame for name in names for frame in self.user[name].tolist())
        return {frame for frame in frames if not frame >> lib.OBJECT_SHIFT}


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
