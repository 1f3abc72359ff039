"""What `ebprof traffic` itself takes: CPU by calls a second, by flows and by screen, and memory.

The flows are connections over loopback that all stay open and are used by turns; half of the flows
are a connection's client end, half its server end.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.run import print_bars, print_table, ratio
from bench.traffic_loads import cpu_seconds_of
from bench.traffic_tools import STOP_SECONDS
from tests import targets

COLUMNS, LINES = 120, 40
SETTLE_SECONDS = 4
FLOWS, MANY_FLOWS = 1_000, 50_000
FEW_CALLS, MANY_CALLS = 1_000, 100_000
SHARE_BAR = 0.02
GROWTH_BAR = 1.25
RSS_BAR = 100e6
CHUNK_BYTES = 1 << 16

Screen = Callable[[], AbstractContextManager[int]]
"""Runs ebprof and gives its process ID."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What ebprof took: a share of one core, and the most memory that it ever held in bytes."""

    share: float
    max_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Case:
    """flows: that are open; calls: a second, on all of them by turns; screen: one of SCREENS."""

    flows: int
    calls: int
    screen: str


CASES = (
    Case(FLOWS, FEW_CALLS, "json"),
    Case(FLOWS, MANY_CALLS, "json"),
    Case(FLOWS, FEW_CALLS, "text"),
    Case(FLOWS, FEW_CALLS, "live"),
    Case(FLOWS, MANY_CALLS, "live"),
    Case(MANY_FLOWS, FEW_CALLS, "live"),
    Case(MANY_FLOWS, MANY_FLOWS, "live"),
    Case(MANY_FLOWS, MANY_FLOWS, "json"),
)


def main() -> None:
    """Measure and print."""
    options = _options()
    taken: dict[Case, list[Taken]] = {case: [] for case in CASES}
    for _ in range(options.repeat):
        for case, found in taken.items():
            found.append(measure(case, options.seconds))
    report(taken)


def measure(case: Case, seconds: float) -> Taken:
    """CPU while it runs, not of the start."""
    with (
        targets.running("flows", case.flows // 2, case.calls),
        SCREENS[case.screen]() as pid,
    ):
        time.sleep(SETTLE_SECONDS)
        before, start = cpu_seconds_of(pid), time.monotonic()
        time.sleep(seconds)
        share = (cpu_seconds_of(pid) - before) / (time.monotonic() - start)
        return Taken(share, _max_rss_bytes(pid))


def report(taken: dict[Case, list[Taken]]) -> None:
    """Print shares, memory and bars."""
    share = {case: median(one.share for one in found) for case, found in taken.items()}
    rss = {case: max(one.max_rss_bytes for one in found) for case, found in taken.items()}
    rows = [
        [
            f"{case.flows:,}",
            f"{case.calls:,}",
            case.screen,
            f"{share[case]:.2%}",
            f"{rss[case] / 1e6:.0f}",
        ]
        for case in taken
    ]
    columns = ["flows", "calls/s", "screen", "CPU, of one core", "memory, MB"]
    print_table("ebprof traffic, every second", columns, rows)
    few, many = (share[Case(FLOWS, calls, "json")] for calls in (FEW_CALLS, MANY_CALLS))
    busiest = max(share[case] for case in taken if case.flows == FLOWS)
    print(f"from {FEW_CALLS:,} to {MANY_CALLS:,} calls/s: {ratio(many, few)} the CPU")
    print_bars(
        {
            f"CPU does not grow with calls (at most {GROWTH_BAR}x)": many <= GROWTH_BAR * few,
            f"at most {SHARE_BAR:.0%} of one core with {FLOWS:,} flows": busiest <= SHARE_BAR,
            f"at most {RSS_BAR / 1e6:.0f} MB": max(rss.values()) <= RSS_BAR,
        }
    )


@contextmanager
def into_pipe(*options: str) -> Iterator[int]:
    """ebprof with its output into a pipe that is read."""
    with subprocess.Popen(
        _command(options), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        with _reading(process.stdout.fileno()):
            try:
                yield process.pid
            finally:
                _stop(process)


@contextmanager
def on_terminal() -> Iterator[int]:
    """ebprof with a live table on a terminal of 120 by 40."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        _command([]), stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True
    )
    os.close(its)
    try:
        with _reading(ours):
            try:
                yield process.pid
            finally:
                _stop(process)
    finally:
        os.close(ours)


SCREENS: dict[str, Screen] = {
    "json": lambda: into_pipe("--json"),
    "text": into_pipe,
    "live": on_terminal,
}


def _command(options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "ebprof", "traffic", *options, "1"]


@contextmanager
def _reading(fd: int) -> Iterator[None]:
    """Read all that is written there, and drop it; what is inside ends the writer."""
    reader = threading.Thread(target=_read_all, args=(fd,))
    reader.start()
    try:
        yield
    finally:
        reader.join()


def _read_all(fd: int) -> None:
    try:
        while os.read(fd, CHUNK_BYTES):
            pass
    except OSError:  # a terminal's other end is closed
        return


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"{process.args!r} ended by itself: exit code {process.returncode}")
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    finally:
        process.kill()


def _max_rss_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (10)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which the median (3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
