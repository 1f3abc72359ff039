"""Pyroscope's own clients profile programs and push to our collector: their shares come back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from ebprof.wire.querier import PREFIX
from tests import collector_extra
from tests.collecting import Running

collector_extra.need()
HERE = Path(__file__).parent
SECONDS = 1.5
"""Of CPU time: 150 samples of Python, 300 of Node.js."""
SHARE, SLACK = 0.75, 0.15
PATIENCE_S = 300


class Client(NamedTuple):
    """What a program is run by, and how its samples are called."""

    command: tuple[str, ...]
    type: str
    profile_type: str
    hot: str
    cold: str


CLIENTS = {
    "python-client": Client(
        (sys.executable, str(HERE / "hot.py")),
        "cpu",
        "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
        "hot",
        "cold",
    ),
    "node-client": Client(
        (shutil.which("node") or "", "hot.js"),
        "wall",
        "wall:wall:nanoseconds:wall:nanoseconds",
        "./hot.js:hot:4",
        "./hot.js:cold:10",
    ),
}
MISSING = {
    "python-client": "" if find_spec("pyroscope") else "needs pyroscope-io (PyPI)",
    "node-client": ""
    if CLIENTS["node-client"].command[0] and (HERE / "node_modules").is_dir()
    else "needs node, and npm's @pyroscope/nodejs: run npm ci in tests/clients",
}


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A collector that all clients that are here have pushed to."""
    with Running(tmp_path_factory.mktemp("clients") / "data") as running:
        running.wait_until_ready()
        url = f"http://127.0.0.1:{running.port}"
        for name, client in CLIENTS.items():
            if not MISSING[name]:
                command = [*client.command, url, str(SECONDS)]
                subprocess.run(command, cwd=HERE, check=True, timeout=PATIENCE_S)
        running.wait_until_stored()
        yield running


def by_our_api(collector: Running, name: str, client: Client) -> Counter[str]:
    """Self values by function."""
    query = f'{{service_name="{name}",region="eu"}}'
    path = "/api/v1/profiles/flamegraph"
    answer = collector.get(path, type=client.type, query=query, format="folded")
    found: Counter[str] = Counter()
    for line in answer.body.decode().splitlines():
        stack, _, value = line.rpartition(" ")
        found[stack.rpartition(";")[2]] += int(value)
    return found


def by_pyroscopes(collector: Running, name: str, client: Client) -> Counter[str]:
    """The same of what Grafana asks for."""
    now = time.time_ns() // 10**6
    asked = {
        "profileTypeID": client.profile_type,
        "labelSelector": f'{{service_name="{name}",region="eu"}}',
        "start": now - 3_600_000,
        "end": now + 60_000,
    }
    headers = {"Content-Type": "application/json"}
    path = f"{PREFIX}SelectMergeStacktraces"
    graph = collector.request("POST", path, json.dumps(asked).encode(), headers).json["flamegraph"]
    found: Counter[str] = Counter()
    for level in graph["levels"]:
        values = [*map(int, level["values"])]
        for own, index in zip(values[2::4], values[3::4], strict=True):
            found[graph["names"][index]] += own
    return +found


@pytest.mark.parametrize("name", CLIENTS)
def test_the_share_of_a_function_comes_back(collector: Running, name: str) -> None:
    if MISSING[name]:
        pytest.skip(MISSING[name])
    client = CLIENTS[name]
    found = by_our_api(collector, name, client)
    both = found[client.hot] + found[client.cold]
    assert both > SECONDS / 2 * 10**9 and both > sum(found.values()) / 2, found
    assert abs(found[client.hot] / both - SHARE) < SLACK, found
    assert by_pyroscopes(collector, name, client) == found
