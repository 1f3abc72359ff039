"""What a fleet of agents costs its collector: pushes of N agents into one collector process.

Each agent pushes 64 profiles every 10 s, of 2,000 distinct stacks a minute. CPU time is that of the
collector and of its store's process together, until all is stored.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.fleet_pushes import SERIES, WINDOW_S, Template, templates
from bench.run import print_bars, print_table
from bench.traffic_loads import cpu_seconds_of
from ebprof.agent.pusher import SPREAD
from ebprof.wire import push
from tests import pushes
from tests.collecting import Running

AGENTS = (10, 100, 400)
BAR_AGENTS, BAR_WAIT_S, BAR_GROWTH = 100, 15.0, 1.25
_SENDERS = 3
_PROBE_S = 0.25


@dataclass(frozen=True, slots=True)
class Load:
    """What a fleet came to. waits_s: from a push until its samples were in an answer."""

    agents: int
    profiles: int
    stacks: int
    refused: int
    late_s: float
    collector_s: float
    store_s: float
    resident_bytes: int
    waits_s: tuple[float, ...]

    @property
    def profiles_a_core(self) -> float:
        """Profiles a second of CPU time."""
        return self.profiles / (self.collector_s + self.store_s)

    @property
    def from_sample_s(self) -> float:
        """From a sample to an answer that has it, 95th percentile: its window has to end first, and
        its node to have its turn.
        """
        in_window, turns = np.linspace(0, WINDOW_S, 201), np.linspace(0, SPREAD * WINDOW_S, 31)
        waits = np.add.outer(np.array(self.waits_s), np.add.outer(in_window, turns))
        return float(np.percentile(waits, 95))


def main() -> None:
    """Measure and print."""
    options = _options()
    loads = [measure(agents, options.seconds) for agents in options.agents]
    columns = ["agents", "profiles/s asked", "a core", "collector", "store", "MB", "late s"]
    print_table("collector", [*columns, "sample to query s", "refused"], [*map(_row, loads)])
    by_agents = {one.agents: one for one in loads}
    bars = {}
    if BAR_AGENTS in by_agents:
        load = by_agents[BAR_AGENTS]
        asked = BAR_AGENTS * SERIES / WINDOW_S
        bars[f"{BAR_AGENTS} agents on one core"] = load.profiles_a_core >= asked
        bars[f"query after {BAR_WAIT_S:.0f} s"] = load.from_sample_s <= BAR_WAIT_S
    if len(loads) > 1:
        worst = max(loads, key=lambda one: one.agents).profiles_a_core
        bars["no growth a profile"] = worst * BAR_GROWTH >= loads[0].profiles_a_core
    print_bars(bars)


def measure(agents: int, seconds: float) -> Load:
    """Have so many agents push for so long."""
    groups = templates(agents)
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as directory,
        Running(Path(directory) / "data") as running,
    ):
        running.wait_until_ready()
        return _measure(running, _Fleet(agents, groups, running.port), seconds)


def _measure(running: Running, fleet: _Fleet, seconds: float) -> Load:
    store = running.store_pid()
    assert store is not None
    pids = running.process.pid, store
    before = [cpu_seconds_of(pid) for pid in pids]
    waits: list[float] = []
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=fleet.send, args=(end,)) for _ in range(_SENDERS)]
    threads.append(threading.Thread(target=_probe, args=(running, end, waits)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running.wait_until_stored()
    used = [cpu_seconds_of(pid) - then for pid, then in zip(pids, before, strict=True)]
    return Load(
        fleet.agents,
        running.metric("profiles_total"),
        running.metric("stacks_total"),
        fleet.refused,
        fleet.late_s,
        used[0],
        used[1],
        sum(map(_peak_bytes, pids)),
        tuple(waits),
    )


class _Fleet:
    """Agents that push by turns, soon after the end of each window, as `ebprof agent` does.

    late_s: how much later than they should.
    """

    def __init__(self, agents: int, groups: list[list[Template]], port: int) -> None:
        self.agents = agents
        self.refused = 0
        self.late_s = 0.0
        self._groups = groups
        self._port = port
        self._begin = time.monotonic()
        self._turns: Iterator[int] = itertools.count()
        self._lock = threading.Lock()

    def send(self, end: float) -> None:
        """Push until a time of the monotonic clock."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while True:
            with self._lock:
                turn = next(self._turns)
            window, agent = divmod(turn, self.agents)
            due = self._begin + WINDOW_S * (window + SPREAD * agent / self.agents)
            if due > end:
                break
            windows = self._groups[agent % len(self._groups)]
            body, _ = windows[(window + agent) % len(windows)].push(agent)
            time.sleep(max(0.0, due - time.monotonic()))
            self.late_s = max(self.late_s, time.monotonic() - due)
            self._push(connection, body)
        connection.close()

    def _push(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        headers = {"Content-Type": "application/proto", "Content-Encoding": "gzip"}
        connection.request("POST", push.PATH, body, headers)
        answer = connection.getresponse()
        answer.read()
        self.refused += answer.status != 200


def _probe(running: Running, end: float, waits: list[float]) -> None:
    """Push one profile after the other, and ask until it is in the answer."""
    while time.monotonic() < end:
        service = str(uuid.uuid4())
        began = time.monotonic()
        message = pushes.push(pushes.pprof_bytes(), labels={"service_name": service})
        assert running.push(message).status == 200
        query = {"type": "cpu", "query": f'{{service_name="{service}"}}', "format": "folded"}
        while not running.get("/api/v1/profiles/flamegraph", **query).body:
            time.sleep(_PROBE_S)
        waits.append(time.monotonic() - began)


def _row(load: Load) -> list[str]:
    return [
        f"{load.agents}",
        f"{load.agents * SERIES / WINDOW_S:.0f}",
        f"{load.profiles_a_core:.0f}",
        f"{1e3 * load.collector_s / load.profiles:.2f} ms",
        f"{1e3 * load.store_s / load.profiles:.2f} ms",
        f"{load.resident_bytes / 1e6:.0f}",
        f"{load.late_s:.1f}",
        f"{load.from_sample_s:.1f}",
        f"{load.refused}",
    ]


def _peak_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    (line,) = [one for one in text.splitlines() if one.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each load (60)")
    parser.add_argument("agents", type=int, nargs="*", default=AGENTS, help="10 100 400")
    return parser.parse_args()


if __name__ == "__main__":
    main()
