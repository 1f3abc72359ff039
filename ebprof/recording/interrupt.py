"""Ctrl-C and SIGTERM as something to wait for: they end a recording, they do not lose it."""

from __future__ import annotations

import os
import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """While entered, the signals are only noted, and `fd` becomes readable."""

    def __init__(self) -> None:
        self.is_set = False
        self.fd, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> Interrupt:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write_end)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
        os.write(self._write_end, b"\0")


def tolerate_one_signal() -> None:
    """From here on a second Ctrl-C loses nothing; where writing hangs, a third ends ebprof."""
    for number in SIGNALS:
        signal.signal(number, _tolerate)


def _tolerate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.default_int_handler)
