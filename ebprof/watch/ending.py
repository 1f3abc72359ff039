"""Ends a run at its time, whatever the main thread is busy with."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from math import isfinite
from types import TracebackType


class Ending:
    """While entered, a thread waits for a deadline (time.monotonic(); inf: none) and for `signals`
    to become readable, and calls `stop` then; else it is called when the block is left.

    What was counted can take longer to work off than it took to count: counting must not go on
    meanwhile. `stop` is called once, and what it raises is raised when the block is left.
    """

    def __init__(self, stop: Callable[[], object], deadline: float, signals: int) -> None:
        self._stop = stop
        self._deadline = deadline
        self._signals = signals
        self._error: Exception | None = None
        self._is_left = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="ending", daemon=True)

    def __enter__(self) -> Ending:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.eventfd_write(self._is_left, 1)
        self._thread.join()
        os.close(self._is_left)
        if self._error and error is None:
            raise self._error

    def _run(self) -> None:
        poll = select.poll()
        for fd in (self._signals, self._is_left):
            poll.register(fd, select.POLLIN)
        left = max(0.0, self._deadline - time.monotonic())
        poll.poll(1000 * left if isfinite(left) else None)
        try:
            self._stop()
        except Exception as raised:
            self._error = raised
