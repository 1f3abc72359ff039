"""What `ebprof agent` takes of a node, beside what `perf record` would write.

The machine runs the demo, and redis with a caller of so many requests a second. Startup is over
before the measurement begins; what the agent says of itself is taken at both ends of it.
"""

from __future__ import annotations

import argparse
import http.server
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.run import print_bars, print_table, ratio
from bench.traffic_tools import timing_share
from bench.workloads import WORKLOADS
from ebprof.procfs import process
from scripts.serve import free_port, run_caller, run_redis
from tests.agents import Agent

REQUESTS, SIZE = 10_000, 50
"""Of redis: calls a second, and bytes of values."""
CORE_SHARE_BAR = 0.01
RSS_BAR = 120e6
PERF_S = 20.0
TIMING_S = 5.0
INTERVAL_S = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """How an agent stands; bytes: of memory, its helper's apart, and pushed since the start."""

    at: float
    cpu_seconds: float
    bpf_seconds: float
    resident: float
    helper: int
    pushed: int
    samples: float


class Sink:
    """Acknowledges pushes, and counts their bytes."""

    def __init__(self) -> None:
        self.received = 0
        ours = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                ours.received += len(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Nothing is logged."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()


def main() -> None:
    """Measure and print."""
    given = _options()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(WORKLOADS["demo"]())
        stack.enter_context(_redis_with_caller(directory))
        sink = Sink()
        stack.callback(sink.close)
        options = ("--interval", f"{INTERVAL_S}s")
        agent = stack.enter_context(Agent(sink.url, spool=directory / "spool", options=options))
        time.sleep(given.warm)
        before = read(agent, sink)
        time.sleep(given.seconds)
        after = read(agent, sink)
        agent.end()
        timing = timing_share(TIMING_S)
        perf_bytes = perf_bytes_a_minute(directory) if shutil.which("perf") else 0.0
    report(before, after, timing, perf_bytes)


def read(agent: Agent, sink: Sink) -> Reading:
    """What it says now."""
    pid = agent.process.pid
    helper = sum(_resident(child) for child in process.children(pid))
    names = ("cpu_seconds_total", "bpf_seconds_total", "resident_bytes")
    cpu, bpf, resident = map(agent.metric, names)
    samples = agent.metric("samples_total")
    return Reading(time.monotonic(), cpu, bpf, resident, helper, sink.received, samples)


def perf_bytes_a_minute(directory: Path) -> float:
    """What perf writes for complete stacks at the same frequency."""
    path = directory / "perf.data"
    graph = ["-q", "-e", "cpu-clock", "-F", "19", "--call-graph", "dwarf"]
    command = ["perf", "record", "-a", *graph, "-o", str(path), "--", "sleep", str(PERF_S)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path.stat().st_size * 60 / PERF_S


def report(before: Reading, after: Reading, timing: float, perf_bytes: float) -> None:
    """Print shares, memory, bytes and bars. timing: share of a core, in that of BPF programs."""
    seconds = after.at - before.at
    own = (after.cpu_seconds - before.cpu_seconds) / seconds
    bpf = (after.bpf_seconds - before.bpf_seconds) / seconds
    pushed = (after.pushed - before.pushed) * 60 / seconds
    rows = [
        ["CPU of the processes, of one core", f"{own:.2%}"],
        ["BPF programs as the kernel times them", f"{bpf:.3%}"],
        ["the same of empty programs at calls", f"{timing:.3%}"],
        ["samples a second", f"{(after.samples - before.samples) / seconds:.0f}"],
        ["resident, MB", f"{after.resident / 1e6:.0f}"],
        ["its helper's, MB", f"{after.helper / 1e6:.0f}"],
        ["pushed a minute, kB", f"{pushed / 1e3:.0f}"],
        ["perf.data a minute, kB", f"{perf_bytes / 1e3:.0f}"],
        ["pushed, of perf.data", ratio(pushed, perf_bytes)],
    ]
    print_table(f"{seconds:.0f} s of windows of {INTERVAL_S} s", ["what", "agent"], rows)
    print_bars(
        {
            f"at most {CORE_SHARE_BAR:.0%} of one core": own + bpf - timing <= CORE_SHARE_BAR,
            f"at most {RSS_BAR / 1e6:.0f} MB": after.resident <= RSS_BAR,
        }
    )


@contextmanager
def _redis_with_caller(directory: Path) -> Iterator[None]:
    port = free_port()
    children = [run_redis(port, directory)]
    try:
        children.append(run_caller(port, "caller", REQUESTS, SIZE))
        yield
    finally:
        for child in reversed(children):
            child.end()


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warm", type=float, default=60, help="seconds before measuring (60)")
    parser.add_argument("--seconds", type=float, default=120, help="of measuring (120)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
