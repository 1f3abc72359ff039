"""How long ago this process was started: what users wait for before a run begins."""

from __future__ import annotations

import os
import time
from pathlib import Path

_START_TIME = 19
"""Place of starttime (field 22 of proc_pid_stat(5)) behind the process's name."""


def seconds_since_start() -> float:
    """Seconds since this process was started."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started
