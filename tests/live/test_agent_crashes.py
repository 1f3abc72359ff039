"""Whoever is killed, and whenever: what an agent says it sampled in the windows that it closed is
stored, to the sample, and no window is missing between others.

EBPROF_CRASHES says how often something is killed: twice here, 200 times by `make crashes`.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

from tests import collector_extra
from tests.agents import Agent
from tests.collecting import Running

collector_extra.need()
CRASHES = int(os.environ.get("EBPROF_CRASHES", "2"))
FREQUENCY = 99
LONGEST_S = 4.0
OPTIONS = (
    *("--interval", "1s", "--frequency", str(FREQUENCY), "--node", "here", "--no-traffic"),
    *("--cpu-budget", "100", "--memory-budget", "4096"),
)
"""Budgets so large that the frequency stays."""
PATIENCE_S = 180
VICTIMS = ("agent", "collector", "store", "all")


class System:
    """An agent and a collector, which are started again when they are killed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.collector = Running(directory / "data", is_new=True)
        self.agent = self._agent()

    def _agent(self) -> Agent:
        url = f"http://127.0.0.1:{self.collector.port}"
        return Agent(url, spool=self._directory / "spool", options=OPTIONS)

    def crash(self, victim: str) -> None:
        """Kill one of VICTIMS, and have it back."""
        if victim in ("agent", "all"):
            self.agent.__exit__()
        if victim in ("store", "all"):
            self.collector.kill_store()
        if victim in ("collector", "all"):
            self.collector.kill()
            self.collector = Running(
                self._directory / "data", port=self.collector.port, is_new=True
            )
        if victim in ("agent", "all"):
            self.agent = self._agent()

    def rows(self, path: str, **parameters: object) -> list[dict[str, Any]]:
        answer = self.collector.get(f"/api/v1/{path}", from_="now-1d", **parameters)
        assert answer.status == 200, answer.body
        found: list[dict[str, Any]] = json.loads(answer.body)["rows"]
        return found

    def sum(self, kind: str, step: str) -> int:
        """All values of a type; steps of hours are answered from sums of hours."""
        rows = self.rows("profiles/series", type=kind, step=step)
        return sum(value for row in rows for _, value in row["points"])


def test_windows_are_stored_as_they_were_closed(tmp_path: Path) -> None:
    seed = int(os.environ.get("EBPROF_SEED") or random.randrange(1 << 32))
    print(f"EBPROF_SEED={seed}")
    chance = random.Random(seed)
    system = System(tmp_path)
    try:
        for _ in range(CRASHES):
            time.sleep(chance.uniform(0, LONGEST_S))
            system.crash(chance.choice(VICTIMS))
        _wait_until_pushed(system)
        figures = system.agent.end()
    finally:
        system.agent.__exit__()
    with system.collector as collector:
        collector.wait_until_stored()
        (row,) = system.rows("agents")
        period = 10**9 // FREQUENCY
        for step in ("5m", "1h"):
            samples = system.sum("ebprof_samples:count", step)
            assert system.sum("cpu", step) == samples * period, step
        assert row["samples_total"] == samples >= figures.spooled
        assert row["missing_windows"] == 0
    print(f"{samples} samples")


def _wait_until_pushed(system: System) -> None:
    """Wait until a window of the last agent has arrived, and what others left."""
    end = time.monotonic() + PATIENCE_S
    while not (
        system.agent.metric('pushes_total{result="accepted"}')
        and system.agent.metric("spool_files") == 0
    ):
        assert time.monotonic() < end
        time.sleep(0.1)
