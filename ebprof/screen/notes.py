"""Signals as something to wait for: they are noted, and a descriptor becomes readable."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType


class SignalNotes:
    """While entered, the given signals do nothing but leave a note."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self._numbers = numbers
        self._taken: set[int] = set()
        self.fd, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> SignalNotes:
        self._before = {number: signal.signal(number, self._note) for number in self._numbers}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write_end)

    def take(self) -> set[int]:
        """The signals that came since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)
        taken, self._taken = self._taken, set()
        return taken

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._taken.add(number)
        with contextlib.suppress(BlockingIOError):  # a full pipe is readable: that is enough
            os.write(self._write_end, b"\0")
