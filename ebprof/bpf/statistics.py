"""The kernel's own timing of BPF programs, switched on for a share of the time only.

It reads the clock twice around every run, which costs as much as a short program itself: where
programs run at each system call, it would be most of their cost.
"""

from __future__ import annotations

import os
import time

from ebprof._native import lib

PERIOD = 16
"""One of so many intervals is timed, beginning with the first."""


class TimedShare:
    """Switches the timing on and off, once an interval, and says what share of time it was on."""

    def __init__(self) -> None:
        self._fd = -1
        self._intervals = 0
        self._start = self._since = time.monotonic()
        self._timed_s = 0.0

    def next_interval(self) -> None:
        """To be called at the start and after each interval."""
        self._off()
        if self._intervals % PERIOD == 0:
            self._since = time.monotonic()
            self._fd = lib.bpf_enable_stats(lib.BPF_STATS_RUN_TIME)
        self._intervals += 1

    def scale(self) -> float:
        """What times and numbers of runs are to be multiplied by to speak of the whole time."""
        timed_s = self._timed_s
        if self._fd >= 0:
            timed_s += time.monotonic() - self._since
        return (time.monotonic() - self._start) / timed_s if timed_s else 0.0

    def close(self) -> None:
        """Switch it off."""
        self._off()

    def _off(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._timed_s += time.monotonic() - self._since
            self._fd = -1
