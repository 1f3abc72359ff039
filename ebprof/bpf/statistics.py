"""The kernel's own timing of BPF programs, switched on for a share of the time only.

It reads the clock twice around every run, which costs more than a short program itself: where
programs run at each system call, it would be most of their cost.
"""

from __future__ import annotations

import os
import time

from ebprof._native import lib

TIMED_S = 1.0
PERIOD_S = 16.0
"""The first TIMED_S of each PERIOD_S are timed."""


class TimedShare:
    """Switches the timing on and off, and says what share of the time it was on."""

    def __init__(self) -> None:
        self._fd = -1
        self._timed_s = 0.0
        self._start = self._since = time.monotonic()

    def tick(self) -> None:
        """To be called at the start, and a few times a second or as often as can be."""
        now = time.monotonic()
        if self._fd >= 0 and now - self._since >= TIMED_S:
            self.close()
        elif self._fd < 0 and (self._timed_s == 0.0 or now - self._since >= PERIOD_S):
            self._since = now
            self._fd = lib.bpf_enable_stats(lib.BPF_STATS_RUN_TIME)

    def scale(self) -> float:
        """What times and numbers of runs are to be multiplied by to speak of the whole time."""
        timed_s = self._timed_s
        if self._fd >= 0:
            timed_s += time.monotonic() - self._since
        return (time.monotonic() - self._start) / timed_s if timed_s else 0.0

    def close(self) -> None:
        """Switch it off."""
        if self._fd >= 0:
            os.close(self._fd)
            self._timed_s += time.monotonic() - self._since
            self._fd = -1
