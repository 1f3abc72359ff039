"""The kernel's own timing of BPF programs, switched on for a share of the time only.

It reads the clock twice around every run, which costs more than a short program itself: where
programs run at each system call, it would be most of their cost.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ebprof._native import lib

TIMED_S = 1.0
PERIOD_S = 16.0
"""The first TIMED_S of each PERIOD_S are timed."""


class TimedShare:
    """Switches the timing on and off, and says what programs took over the whole time.

    read: runs of the programs, and seconds spent in them, as far as these were timed. The switch is
    the whole kernel's: what was timed while only others had it on does not count. is_always: it
    stays on once it is.
    """

    def __init__(self, read: Callable[[], tuple[int, float]], *, is_always: bool = False) -> None:
        self._read = read
        self._is_always = is_always
        self._fd = -1
        self._timed_s = 0.0
        self._runs = 0
        self._seconds = 0.0
        self._before = (0, 0.0)
        self._start = self._since = time.monotonic()

    def tick(self) -> None:
        """To be called at the start, and a few times a second or as often as can be."""
        now = time.monotonic()
        if self._fd >= 0:
            if not self._is_always and now - self._since >= TIMED_S:
                self.close()
        elif self._timed_s == 0.0 or now - self._since >= PERIOD_S:
            if self._timed_s == 0.0:
                self._start = now
            self._since = now
            self._fd = lib.bpf_enable_stats(lib.BPF_STATS_RUN_TIME)
            if self._fd >= 0:
                self._before = self._read()

    def total(self) -> tuple[int, float]:
        """Runs since the start, and seconds spent in them, scaled up from what was timed."""
        runs, seconds, timed_s = self._timed()
        scale = (time.monotonic() - self._start) / timed_s if timed_s else 0.0
        return round(runs * scale), seconds * scale

    def close(self) -> None:
        """Switch it off."""
        if self._fd >= 0:
            self._runs, self._seconds, self._timed_s = self._timed()
            os.close(self._fd)
            self._fd = -1

    def _timed(self) -> tuple[int, float, float]:
        """Runs, seconds in them, and for how long they were timed."""
        if self._fd < 0:
            return self._runs, self._seconds, self._timed_s
        runs, seconds = self._read()
        return (
            self._runs + runs - self._before[0],
            self._seconds + seconds - self._before[1],
            self._timed_s + time.monotonic() - self._since,
        )
