"""Servers under load over loopback, for benchmarks of `ebprof traffic`.

A load is a server that lives as long as a context, and a function that has it work for about as
many seconds as it is told and says how much was done.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from bench.paired import Run
from scripts.serve import free_port

START_SECONDS = 10
PAGE_BYTES = 612
CALIBRATION_REQUESTS = 20_000
NGINX = """daemon off; master_process off; pid {directory}/pid; error_log {directory}/errors;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; root {directory}; server {{ listen 127.0.0.1:{port}; }} }}
"""

Measure = Callable[[float], Run]
Load = Callable[[], AbstractContextManager[Measure]]


@contextmanager
def redis(clients: int, pipeline: int) -> Iterator[Measure]:
    """redis-benchmark's SET; a unit is a request."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        server = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
        with _serving([*server, "--dir", directory], port) as process:
            words = ["redis-benchmark", "--csv", "-t", "set", "-p", str(port)]
            client = [*words, "-c", str(clients), "-P", str(pipeline), "-n"]
            rate = _requests(client, CALIBRATION_REQUESTS, process).throughput
            yield lambda seconds: _requests(client, round(rate * seconds), process)


@contextmanager
def nginx(connections: int, *, reuse: bool = True) -> Iterator[Measure]:
    """wrk gets a small file; a unit is a request. reuse: connections, for many requests."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "page").write_bytes(bytes(PAGE_BYTES))
        configuration = Path(directory) / "nginx.conf"
        configuration.write_text(NGINX.format(directory=directory, port=port))
        with _serving(["nginx", "-c", str(configuration)], port) as process:
            close = [] if reuse else ["-H", "Connection: close"]
            client = ["wrk", "-t1", f"-c{connections}", *close, f"http://127.0.0.1:{port}/page"]
            yield lambda seconds: _pages(client, seconds, process)


@contextmanager
def iperf(*, reverse: bool = False) -> Iterator[Measure]:
    """iperf3 with one stream; a unit is a byte. reverse: the server sends."""
    port = free_port()
    with _serving(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)], port) as process:
        client = ["iperf3", "-J", "-c", "127.0.0.1", "-p", str(port), *["-R"] * reverse, "-t"]
        yield lambda seconds: _stream(client, seconds, process)


LOADS: dict[str, Load] = {
    "redis-1": partial(redis, 1, 1),
    "redis-1-p16": partial(redis, 1, 16),
    "redis-50": partial(redis, 50, 1),
    "redis-50-p16": partial(redis, 50, 16),
    "nginx": partial(nginx, 50),
    "nginx-close": partial(nginx, 50, reuse=False),
    "iperf3": iperf,
    "iperf3-reverse": partial(iperf, reverse=True),
}
"""redis: clients, pipeline (p); nginx-close: a connection a request."""


def _requests(client: Sequence[str], requests: int, server: subprocess.Popen[bytes]) -> Run:
    output, cpu_seconds = _run([*client, str(requests)], server)
    rate = float(output.splitlines()[-1].split(",")[1].strip('"'))
    return Run(rate, cpu_seconds / requests)


def _pages(client: Sequence[str], seconds: float, server: subprocess.Popen[bytes]) -> Run:
    output, cpu_seconds = _run([*client, f"-d{_whole(seconds)}"], server)
    (rate,) = re.findall(r"Requests/sec: +([\d.]+)", output)
    (requests,) = re.findall(r"(\d+) requests in", output)
    return Run(float(rate), cpu_seconds / int(requests))


def _stream(client: Sequence[str], seconds: float, server: subprocess.Popen[bytes]) -> Run:
    output, cpu_seconds = _run([*client, str(_whole(seconds))], server)
    result = json.loads(output)
    if "error" in result:
        raise RuntimeError(f"iperf3: {result['error']}")
    received = result["end"]["sum_received"]
    return Run(received["bits_per_second"] / 8, cpu_seconds / received["bytes"])


def _whole(seconds: float) -> int:
    return max(1, round(seconds))


def _run(client: Sequence[str], server: subprocess.Popen[bytes]) -> tuple[str, float]:
    """What the client wrote, and the CPU seconds of both."""
    before = cpu_seconds_of(server.pid)
    with subprocess.Popen(client, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(client)}: exit code {process.returncode}\n{output}")
    spent = cpu_seconds_of(server.pid) - before
    return output, spent + usage.ru_utime + usage.ru_stime


def cpu_seconds_of(pid: int) -> float:
    """CPU time of a process with all of its threads so far (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


@contextmanager
def _serving(words: Sequence[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process)
            yield process
        finally:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while not _is_listening(port):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{process.args!r} does not serve")
        time.sleep(0.05)


def _is_listening(port: int) -> bool:
    """From the kernel's list: to connect would be a session to iperf3."""
    return bool(re.search(f":{port:04X} 00000000:0000 0A", Path("/proc/net/tcp").read_text()))
