"""The agent and the collector of a soak, as people run them; they are killed and started again."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ebprof.parent import die_with_parent
from tests.soak.places import ADDRESS, Clock, Network

NODE = "soak"
PORT = 8080
START_S, END_S = 60.0, 120.0
ANSWER_S = 10.0
_DONE = re.compile(r"([\d,]+) samples, lost ([\d,]+), in windows ([\d,]+), .*: ([\d,]+)")
_THERE = re.compile(r"(metrics|collector) at ")
_DROPPED = re.compile(r"([\d,]+) (samples|flows) were dropped \((\w+)\)")


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, target: str, timeout: float = ANSWER_S) -> tuple[int, bytes]:
    """Status and body of a GET on a Unix socket; raises OSError or HTTPException."""
    connection = _Unix(path, timeout)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


Metrics = dict[str, float]
"""By name without the prefix, with the label: `pushes_total{result="accepted"}`."""


def read_metrics(path: Path, prefix: str, timeout: float = ANSWER_S) -> Metrics:
    """What a program says at /metrics; raises OSError or HTTPException."""
    _, body = ask(path, "/metrics", timeout)
    lines = (line.rpartition(" ") for line in body.decode().splitlines() if line[:1] != "#")
    return {name.removeprefix(prefix): float(value) for name, _, value in lines}


def by_label(metrics: Metrics, name: str) -> Counter[str]:
    """A metric by the value of its label."""
    found = {key: value for key, value in metrics.items() if key.startswith(f"{name}{{")}
    return Counter({key.split('"')[1]: int(value) for key, value in found.items()})


class Program:
    """`ebprof WORDS...`, which listens on a Unix socket. What it says is added to a file."""

    def __init__(self, words: Sequence[object], within: Sequence[str], said: Path) -> None:
        self._words, self._within, self._said = words, within, said
        self._begin()

    def _begin(self) -> None:
        self._at = self._said.stat().st_size if self._said.exists() else 0
        words = [*self._within, sys.executable, "-m", "ebprof", *map(str, self._words)]
        with self._said.open("ab") as file:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, signal.SIGTERM),
            )
        end = time.monotonic() + START_S
        while not _THERE.search(self.said):
            if self._process.poll() is not None or time.monotonic() > end:
                raise OSError(f"{words} does not start: {self.said}")
            time.sleep(0.05)

    @property
    def said(self) -> str:
        """What it has said since its last start."""
        with self._said.open("rb") as file:
            file.seek(self._at)
            return file.read().decode("utf-8", "replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """By itself: nobody asked it to."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it with no chance to do anything."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End it as Ctrl-C does; raises OSError where it fails."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(END_S)
        if code:
            raise OSError(f"{self._words[0]} ended with {code}: {self.said[-500:]}")


@dataclass(slots=True)
class AgentRun:
    """What one agent said from its start to its end.

    dropped, dropped_flows: by reason. is_killed: with no chance to say what it did last.
    """

    samples: int = 0
    lost: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    dropped_flows: Counter[str] = field(default_factory=Counter)
    is_killed: bool = False


class Agent(Program):
    """On this machine. runs: of all agents that there were, the last one runs."""

    def __init__(self, disk: Path, base: Path, clock: Clock, options: Sequence[str]) -> None:
        self.spool = disk / "spool"
        self._socket = base / "agent.sock"
        self.runs = [AgentRun()]
        self.metrics: Metrics = {}
        words = ["agent", "--collector", f"http://{ADDRESS}:{PORT}", "--node", NODE]
        words += ["--spool", str(self.spool), "--listen", f"unix:{self._socket}", *options]
        super().__init__(words, clock.within, base / "agent.log")

    def look(self, timeout: float = ANSWER_S) -> None:
        """Have what it says of itself in the last of the runs."""
        with suppress(OSError, http.client.HTTPException):
            self.metrics = found = read_metrics(self._socket, "ebprof_agent_", timeout)
            run = self.runs[-1]
            run.samples, run.lost = int(found["samples_total"]), int(found["lost_total"])
            run.dropped = by_label(found, "dropped_samples_total")
            run.dropped_flows = by_label(found, "dropped_flows_total")

    def kill(self) -> None:
        self.look(1.0)
        super().kill()
        self.runs[-1].is_killed = True

    def start_again(self) -> None:
        """Begin another run."""
        self.runs.append(AgentRun())
        self._begin()

    def end(self) -> None:
        super().end()
        run, said = self.runs[-1], self.said
        match = _DONE.search(said)
        if match is None:
            raise OSError(f"the agent does not say what it did: {said[-500:]}")
        run.samples, run.lost = _number(match[1]), _number(match[2])
        run.dropped.clear()
        run.dropped_flows.clear()
        for amount, what, reason in _DROPPED.findall(said):
            dropped = run.dropped if what == "samples" else run.dropped_flows
            dropped[reason] = _number(amount)


class Collector(Program):
    """At the other end of the network; it is asked by a Unix socket, which no cut reaches."""

    def __init__(self, disk: Path, base: Path, clock: Clock, network: Network) -> None:
        self.data = disk / "data"
        self.socket = base / "collector.sock"
        self.metrics: Metrics = {}
        self.retention = "raw=3d,1h=90d,1d=400d"
        within = [*network.within, *clock.within]
        super().__init__(self._line, within, base / "collector.log")

    @property
    def _line(self) -> list[object]:
        listen = ["--listen", f"{ADDRESS}:{PORT}", "--insecure", "--listen", f"unix:{self.socket}"]
        return ["collector", "--data", self.data, "--retention", self.retention, *listen]

    def look(self) -> None:
        """Have what it says of itself in `metrics`; nothing where it does not answer."""
        self.metrics = {}
        with suppress(OSError, http.client.HTTPException):
            self.metrics = read_metrics(self.socket, "ebprof_collector_")

    def rows(self, target: str, **parameters: str) -> list[dict[str, Any]]:
        """Of a list; raises OSError where there is none."""
        given = urlencode({name.rstrip("_"): value for name, value in parameters.items()})
        try:
            status, body = ask(self.socket, f"/api/v1/{target}?{given}")
        except http.client.HTTPException as error:
            raise OSError(f"no answer of {target}: {error}") from None
        if status != 200:
            raise OSError(f"{target} is answered with {status}: {body[:200]!r}")
        found: list[dict[str, Any]] = json.loads(body)["rows"]
        return found

    def start_again(self, retention: str) -> None:
        """Begin to run again; what is kept may be another time."""
        self.retention = retention
        self._words = self._line
        self._begin()

    def signal_store(self, number: int) -> None:
        """Send a signal to the process of its store, if there is one."""
        for pid in children(self.pid):
            if b"collector.store.process" in _command(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)


def children(pid: int) -> list[int]:
    """Of all threads of a process; none of one that has ended."""
    found: list[int] = []
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            found += map(int, path.read_text().split())
    return found


def role_of(pid: int, of: str) -> str:
    """What a child does for the agent or the collector."""
    if b"collector.store.process" in _command(pid):
        return "store"
    return f"{of}'s helpers"


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _number(text: str) -> int:
    return int(text.replace(",", ""))
