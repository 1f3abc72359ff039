"""Signals as something to wait for: they end a run, they do not lose its result."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a run: its result is written. SIGQUIT ends ebprof at once."""
_MOST_UNHEEDED = 2
Handler = Callable[[int, FrameType | None], None]


def ending() -> tuple[signal.Signals, ...]:
    """Those of ENDING that are to be heeded: not a hang-up that nohup has had ignored, or that is
    for something else, as it has SignalNotes of its own.
    """
    is_free = signal.getsignal(signal.SIGHUP) in (signal.SIG_DFL, tolerate_one)
    return tuple(one for one in ENDING if one != signal.SIGHUP or is_free)


class SignalNotes:
    """While entered, the given signals only leave a note, and `fd` becomes readable.

    The third that is to end the run raises KeyboardInterrupt when nobody took the first two:
    then something (a file that somebody else wrote, perhaps) keeps us from ending.

    after: what handles the signals from then on; None: what did before.
    """

    def __init__(self, *numbers: signal.Signals, after: Handler | None = None) -> None:
        self._numbers = numbers
        self._after = after
        self._taken: set[int] = set()
        self._unheeded = 0
        self.fd, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> SignalNotes:
        self._before = {number: signal.signal(number, self._note) for number in self._numbers}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, self._after or handler)
        os.close(self.fd)
        os.close(self._write_end)

    @property
    def is_set(self) -> bool:
        """Whether a signal came since the last `take`."""
        return bool(self._taken)

    def take(self) -> set[int]:
        """The signals that came since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)
        taken, self._taken = self._taken, set()
        self._unheeded = 0
        return taken

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._taken.add(number)
        self._unheeded += number in ENDING
        if self._unheeded > _MOST_UNHEEDED:
            raise KeyboardInterrupt
        with contextlib.suppress(BlockingIOError):  # a full pipe is readable: that is enough
            os.write(self._write_end, b"\0")


def tolerate_one(number: int, frame: FrameType | None) -> None:
    """Handles a signal that loses nothing: a second Ctrl-C. The next one ends ebprof."""
    signal.signal(number, signal.default_int_handler)
