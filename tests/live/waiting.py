"""Waits for what processes do, however long it takes a machine that is busy elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf
from pathlib import Path

from ebprof.errors import NoTargetError
from ebprof.procfs import process
from ebprof.sampling.target import online_cpus

PATIENCE = int(os.environ.get("EBPROF_PATIENCE", "1"))
"""How many times slower than others this machine is."""
TIME_LIMIT = 300 * PATIENCE
"""Seconds after which a process hangs."""
POLL_SECONDS = 0.02
START_POLL_SECONDS = 0.05
"""A look at all that a process has open costs a millisecond, and nothing begins that soon."""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def wait_until(holds: Callable[[], bool], what: str, poll_s: float = POLL_SECONDS) -> None:
    """Wait until a condition holds; fails after TIME_LIMIT, and says that it was not `what`."""
    limit = time.monotonic() + TIME_LIMIT
    while not holds():
        assert time.monotonic() < limit, f"not {what} in {TIME_LIMIT} s"
        time.sleep(poll_s)


def wait_until_sampling(pid: int) -> None:
    """Until ebprof has a perf event on each CPU besides those of the side band, or has ended."""
    _wait_for_perf_events(pid, 2 * len(online_cpus()))


def wait_until_counting(pid: int) -> None:
    """The same of calls of a function, which are one more event."""
    _wait_for_perf_events(pid, len(online_cpus()) + 1)


def _wait_for_perf_events(pid: int, wanted: int) -> None:
    def holds() -> bool:
        return not process.is_running(pid) or perf_events(innermost(pid)) >= wanted

    wait_until(holds, "sampling", START_POLL_SECONDS)


def wait_for_work(pids: Iterable[int], seconds: float) -> None:
    """Until each of some processes has had so much more CPU time, or has ended."""
    ends = {pid: cpu_seconds(pid) + seconds for pid in pids}
    cpus, limit = len(online_cpus()), time.monotonic() + TIME_LIMIT
    while left := max(_until(end, cpu_seconds(pid)) for pid, end in ends.items()):
        assert time.monotonic() < limit, f"not enough work in {TIME_LIMIT} s"
        time.sleep(max(left / cpus, POLL_SECONDS))  # all CPUs at once take that long


def _until(end: float, now: float) -> float:
    return end - now if now < end else 0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, to a tick; endless where it has ended."""
    with suppress(NoTargetError):
        if process.is_running(pid):
            return process.cpu_ticks(pid) * TICK_S
    return inf


def perf_events(pid: int) -> int:
    """How many perf events a process holds."""
    count = 0
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                count += str(link.readlink()) == "anon_inode:[perf_event]"
    return count


def innermost(pid: int) -> int:
    """The process itself, or the one that `unshare --fork` started."""
    below = process.children(pid) if process.comm(pid) == "unshare" else []
    return innermost(below[0]) if below else pid
