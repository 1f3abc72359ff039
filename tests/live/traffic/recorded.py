"""Runs `ebprof traffic --json` beside a test's own traffic and reads what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tests.forked import Forked

START_SECONDS = 600
"""Where bcc has to compile first, an emulated machine that is not alone takes minutes."""
STOP_SECONDS = 300
POLL_SECONDS = 0.02
LOSSES = ("overflowed", "untracked", "owners_full")
UNTIL_STOPPED = ("-d", 86400)


@dataclass(frozen=True, slots=True)
class Flow:
    """One line of the output; an ephemeral port is None."""

    time: float
    pid: int | None
    comm: str | None
    role: str
    family: int
    local_address: str
    local_port: int | None
    peer_address: str
    peer_port: int | None
    tx_bytes: int
    rx_bytes: int
    tx_calls: int
    rx_calls: int
    connections: int
    closed: int
    failed_connects: int
    connect_errors: dict[str, int]
    retransmits: int
    rtt_us: float | None
    turns: int | None
    latency_mean_us: float | None
    latency_max_us: float | None
    cgroup: str | None
    container: str | None
    nat_local_address: str | None
    nat_local_port: int | None
    nat_peer_address: str | None
    nat_peer_port: int | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run of ebprof: its flows, its statistics, and the most memory it had."""

    flows: tuple[Flow, ...]
    stats: dict[str, Any]
    peak_kib: int

    @property
    def losses(self) -> dict[str, int]:
        """Counters of what the flows lack, those that are not zero."""
        return {name: n for name, n in self.stats["counters"].items() if n and name in LOSSES}

    def having(self, **wanted: object) -> list[Flow]:
        """Flows with these values."""
        return [
            flow
            for flow in self.flows
            if all(getattr(flow, name) == value for name, value in wanted.items())
        ]

    def one(self, **wanted: object) -> Flow:
        """The only flow with these values; fails when there are none or several."""
        found = self.having(**wanted)
        assert len(found) == 1, f"{wanted}: {found}"
        return found[0]


class Recording:
    """An ebprof that has begun to record."""

    def __init__(
        self, process: subprocess.Popen[bytes], directory: Path, *, is_child: bool = False
    ) -> None:
        self._process = process
        self._directory = directory
        self._is_child = is_child

    @property
    def peak_kib(self) -> int:
        """The most memory that ebprof has had until now."""
        return self._status("VmHWM")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While the block runs, ebprof does not: its BPF programs go on, nothing is drained."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> Recorded:
        """End it as Ctrl-C does, and read what it wrote."""
        peak_kib = self.peak_kib
        os.kill(self._pid(), signal.SIGINT)
        return self.wait(peak_kib)

    def wait(self, peak_kib: int = 0) -> Recorded:
        """Read what it wrote when it has ended by itself."""
        code = self._process.wait(STOP_SECONDS)
        assert code == 0, self._read("stderr")
        flows = tuple(_flow(line) for line in self._read("stdout").splitlines())
        return Recorded(flows, json.loads(self._read("stats")), peak_kib)

    def wait_until_begun(self, backend: str) -> None:
        """Wait for the line that says so; fails when ebprof ends, or uses another backend."""
        deadline = time.monotonic() + START_SECONDS
        while f"ebprof: traffic by {backend}" not in self._read("stderr"):
            assert self._process.poll() is None, self._read("stderr")
            assert time.monotonic() < deadline, f"does not begin: {self._read('stderr')}"
            time.sleep(POLL_SECONDS)

    def _pid(self) -> int:
        """Of ebprof: what was started, or its only child where that is nsenter."""
        pid = self._process.pid
        if not self._is_child:
            return pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        raise AssertionError(f"no {name}: ebprof has ended: {self._read('stderr')}")

    def _read(self, name: str) -> str:
        return (self._directory / name).read_text()


@contextmanager
def recording(
    backend: str, *options: object, module: str = "ebprof", within: Sequence[str] = ()
) -> Iterator[Recording]:
    """Start ebprof and wait until it records; without options until `stop`, for the totals.

    module: what stands for ebprof. within: words before its command line, of nsenter.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        files = ["--json", "--stats", directory / "stats"]
        words = ["traffic", *files, "--backend", backend, *(options or UNTIL_STOPPED)]
        out, err = directory / "stdout", directory / "stderr"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = Forked(module, *words, stdout=stdout, stderr=stderr, within=within)
        try:
            started = Recording(process, directory, is_child="--pid" in within)
            started.wait_until_begun(backend)
            yield started
        finally:
            process.kill()
            process.wait()


def _flow(line: str) -> Flow:
    values = json.loads(line)
    return Flow(**{field.name: values[field.name] for field in fields(Flow)})
