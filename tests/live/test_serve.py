"""`ebprof serve`: from a program to its flame graph, and nobody left behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ebprof.procfs import process
from tests import collector_extra, targets

collector_extra.need()
PATIENCE_S = 180
_started: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """What a test that fails has left running is ended."""
    yield
    while _started:
        _started.pop().terminate()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(1)  # each look costs the store a tenth of a second


def start(data: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """The process, and the collector's URL, once the agent is there as well."""
    command = [
        sys.executable,
        "-m",
        "ebprof",
        "serve",
        "--listen",
        "127.0.0.1:0",
        *["--interval", "1s", "--cpu-budget", "100", "--memory-budget", "4096"],
    ]
    serving = subprocess.Popen(
        [*command, "--data", data, *options], stderr=subprocess.PIPE, text=True
    )
    _started.append(serving)
    assert serving.stderr is not None
    url, said = "", ""
    for line in serving.stderr:
        said += line
        match = re.search(r"collector at (\S+),", line)
        url = match[1] if match else url
        if "metrics at" in line:
            return serving, url
    raise AssertionError(said)


def listeners(pids: list[int]) -> list[str]:
    """Addresses that processes listen on by TCP."""
    said = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    ours = tuple(f"pid={pid}," for pid in pids)
    return [line.split()[3] for line in said.splitlines() if any(one in line for one in ours)]


def test_its_file_is_for_both(tmp_path: Path) -> None:
    config = tmp_path / "serve.toml"
    rule = "[[service]]\nname = 'ruled'\ncomm = 'shares'\n"
    config.write_text("node = 'here'\nretention = 'raw=2d'\n" + rule)
    with targets.running("shares") as program, targets.resting(program.pid, 0.1):
        serving, url = start(tmp_path, "--no-traffic", "--config", str(config))
        wait_until(lambda: "ruled" in values(url, "service_name"))
        assert values(url, "node") == ["here"]
        config.write_text(rule.replace("ruled", "renamed"))
        serving.send_signal(signal.SIGHUP)
        wait_until(lambda: "renamed" in values(url, "service_name"))
    serving.send_signal(signal.SIGINT)
    _, said = serving.communicate(timeout=PATIENCE_S)
    assert serving.returncode == 0, said
    assert said.count("the options were read anew") == 2
    assert "from the next start on: node" in said


def values(url: str, label: str) -> list[str]:
    """What a label has been so far."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/labels/{label}/values") as answer:
            rows: list[str] = json.load(answer)["rows"]
            return rows
    except urllib.error.HTTPError:
        return []


def has_function(url: str, name: str) -> bool:
    """Whether the flame graph of all has it, however deep others are; there may be none yet."""
    query = "type=cpu&format=folded"
    try:
        with urllib.request.urlopen(f"{url}/api/v1/profiles/flamegraph?{query}") as answer:
            return re.search(rf";{name}[; ]", answer.read().decode()) is not None
    except urllib.error.HTTPError:
        return False


def test_a_program_is_in_the_flame_graph(tmp_path: Path) -> None:
    with targets.running("shares", 1, 1, 8) as program, targets.resting(program.pid, 0.15):
        serving, url = start(tmp_path)
        wait_until(lambda: has_function(url, "gamma_"))
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            page = answer.read().decode()
    assert "\nebprof_agent_samples_total " in page and "\nebprof_collector_store_ready 1" in page
    children = process.children(serving.pid)
    assert len(children) == 2
    assert listeners(children) == [url.removeprefix("http://")]
    serving.send_signal(signal.SIGINT)
    _, said = serving.communicate(timeout=PATIENCE_S)
    assert serving.returncode == 0, said
    assert "pushes left for the next start: " in said
    assert not any(map(process.exists, children))


def test_nobody_outlives_it(tmp_path: Path) -> None:
    serving, _ = start(tmp_path, "--no-traffic")
    children = process.children(serving.pid)
    serving.kill()
    serving.communicate(timeout=PATIENCE_S)
    wait_until(lambda: not any(map(process.is_running, children)))
