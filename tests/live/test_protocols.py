"""Agents that push as others do: functions have names and shares, and no file is sent."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests import collector_extra, targets
from tests.agents import Agent
from tests.collecting import Running
from tests.live.profiled import assert_share, fold

collector_extra.need()
FREQUENCY = 99
PARTS = {"alpha": 6, "beta": 3, "gamma_": 1}
PROTOCOLS = ("pyroscope", "otlp")
ACCEPTED = 'pushes_total{result="accepted"}'
PATIENCE_S = 300


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that agents have pushed to by turns, each of a node of its protocol's name."""
    directory = tmp_path_factory.mktemp("protocols")
    command = [str(targets.build("shares")), "600", *map(str, PARTS.values())]
    words = f"--interval 1s --frequency {FREQUENCY} --cpu-budget 100 --memory-budget 4096"
    with (
        Running(directory / "data") as running,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ) as program,
        targets.resting(program.pid),
    ):
        running.wait_until_ready()
        for protocol in PROTOCOLS:
            options = (*words.split(), "--protocol", protocol, "--node", protocol)
            url = f"http://127.0.0.1:{running.port}"
            with Agent(url, spool=directory / protocol, options=options) as agent:
                end = time.monotonic() + PATIENCE_S
                while agent.metric(ACCEPTED) < 4:
                    assert time.monotonic() < end
                    time.sleep(0.5)
                agent.end()
        program.kill()
        running.wait_until_stored()
        yield running


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_functions_have_names_and_shares(collector: Running, protocol: str) -> None:
    query = f'{{service_name="shares",node="{protocol}"}}'
    answer = collector.get("/api/v1/profiles/flamegraph", type="cpu", query=query, format="folded")
    stacks = {one: n for one, n in fold(answer.body.decode()).items() if "main" in one}
    period = 10**9 // FREQUENCY
    total = sum(stacks.values()) // period
    assert total > FREQUENCY
    for name, part in PARTS.items():
        count = sum(value for stack, value in stacks.items() if name in stack) // period
        assert_share(count, total, part / sum(PARTS.values()), slack=0.02)


def test_no_files_and_no_flows_are_sent(collector: Running) -> None:
    assert collector.metric("object_received_bytes_total") == 0
    assert collector.metric("flows_total") == 0
    assert collector.metric("rejected_profiles_total") == 0
