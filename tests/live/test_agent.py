"""An agent and a collector that is killed meanwhile: all samples come through, shares are right."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

import ebprof
from tests import collector_extra, targets
from tests.agents import Agent, Figures
from tests.collecting import Running
from tests.live.profiled import SOME, assert_share, fold

collector_extra.need()
FREQUENCY = 199
PARTS = {"alpha": 6, "beta": 3, "gamma_": 1}
SERVICE = "split"
ACCEPTED = 'pushes_total{result="accepted"}'
WINDOWS = 3
"""Before the collector is killed, while it is away, and after that."""
PATIENCE_S = 600


@dataclass(frozen=True)
class Watched:
    """What two agents, one after the other, said at their end, and the collector of both."""

    agents: list[Figures]
    collector: Running

    def ask(self, path: str, **parameters: object) -> bytes:
        answer = self.collector.get(f"/api/v1/{path}", **parameters)
        assert answer.status == 200, answer.body
        return answer.body

    def samples_of(self, **parameters: object) -> int:
        """Samples in the store, by the time that each stands for."""
        rows = json.loads(self.ask("profiles/series", type="cpu", step="1h", **parameters))["rows"]
        value = sum(value for row in rows for _, value in row["points"])
        return int(value // (10**9 // FREQUENCY))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A program that is watched while the collector is killed, is away, and comes back; then by
    another agent, which pushes what the first one left.
    """
    directory = tmp_path_factory.mktemp("agent")
    command = [str(targets.build("shares")), "600", *map(str, PARTS.values())]
    environment = os.environ | {"OTEL_SERVICE_NAME": SERVICE}
    collector = Running(directory / "data")
    collector.wait_until_ready()
    words = f"--interval 1s --frequency {FREQUENCY} --node here --no-traffic --cpu-budget 100"
    options = (*words.split(), "--memory-budget", "4096")
    url = f"http://127.0.0.1:{collector.port}"
    figures: list[Figures] = []
    with (
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as program,
        targets.resting(program.pid),
    ):
        try:
            with Agent(url, spool=directory / "spool", options=options) as agent:
                _wait_until(lambda: agent.metric(ACCEPTED) >= WINDOWS)
                collector.kill()
                _wait_until(lambda: agent.metric("spool_files") >= WINDOWS)
                collector = Running(directory / "data", port=collector.port)
                _wait_until(lambda: agent.metric(ACCEPTED) >= 3 * WINDOWS)
                figures.append(agent.end())
            with Agent(url, spool=directory / "spool", options=options) as again:
                _wait_until(lambda: again.metric(ACCEPTED) > figures[0].left)
                figures.append(again.end())
        finally:
            program.kill()
    with collector:
        collector.wait_until_stored()
        _wait_until(lambda: collector.metric('lookups_total{result="named"}') > 0)
        yield Watched(figures, collector)


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.3)


def test_windows_are_what_was_sampled_to_the_sample(watched: Watched) -> None:
    assert sum(one.samples for one in watched.agents) > WINDOWS * FREQUENCY
    for one in watched.agents:
        assert one.spooled == one.samples - one.lost, "a busy machine may lose some"
        assert one.lost < 0.05 * one.samples
    if watched.agents[-1].left:
        pytest.skip("the machine is too busy to push the last window in time")
    assert watched.samples_of() == sum(one.spooled for one in watched.agents)


def test_agents_say_how_much_that_is(watched: Watched) -> None:
    if watched.agents[-1].left:
        pytest.skip("the machine is too busy to push the last window in time")
    (row,) = json.loads(watched.ask("agents"))["rows"]
    assert (row["node"], row["version"]) == ("here", ebprof.__version__)
    assert row["samples_total"] == sum(one.spooled for one in watched.agents)
    assert row["lost_total"] >= sum(one.lost for one in watched.agents)
    assert row["missing_windows"] == 0


def test_functions_have_their_shares(watched: Watched) -> None:
    query = f'{{service_name="{SERVICE}"}}'
    stacks = fold(
        watched.ask("profiles/flamegraph", type="cpu", query=query, format="folded").decode()
    )
    whole = {stack: value for stack, value in stacks.items() if "main" in stack}
    assert sum(whole.values()) > sum(stacks.values()) / 2, "most are taken once there is a table"
    period = 10**9 // FREQUENCY
    total = sum(whole.values()) // period
    for name, part in PARTS.items():
        count = sum(value for stack, value in whole.items() if name in stack) // period
        assert_share(count, total, part / sum(PARTS.values()), slack=0.02)


def test_series_say_who_it_was(watched: Watched) -> None:
    query = f'{{service_name="{SERVICE}",node="here",process="shares"}}'
    assert watched.samples_of(query=query) > 2 * SOME
    rows = json.loads(watched.ask("labels"))["rows"]
    assert {"service_name", "process", "node"} <= set(rows)
    assert not [name for name in rows if name.startswith("__")]
