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
from collections.abc import Callable
from pathlib import Path

from ebprof.procfs import process
from tests import collector_extra, targets

collector_extra.need()
PATIENCE_S = 180


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def start(data: Path) -> tuple[subprocess.Popen[str], str]:
    """The process, and the collector's URL, once the agent is there as well."""
    command = [
        sys.executable,
        "-m",
        "ebprof",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--interval",
        "2s",
    ]
    serving = subprocess.Popen([*command, "--data", data], stderr=subprocess.PIPE, text=True)
    assert serving.stderr is not None
    url, said = "", ""
    for line in serving.stderr:
        said += line
        match = re.search(r"collector at (\S+),", line)
        url = match[1] if match else url
        if "metrics at" in line:
            return serving, url
    raise AssertionError(said)


def has_function(url: str, name: str) -> bool:
    """Whether the flame graph of all has it; there may be none yet."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/profiles/flamegraph?type=cpu") as answer:
            return f'"{name}"' in json.dumps(json.load(answer))
    except urllib.error.HTTPError:
        return False


def test_a_program_is_in_the_flame_graph(tmp_path: Path) -> None:
    with targets.running("shares"):
        serving, url = start(tmp_path)
        wait_until(lambda: has_function(url, "gamma_"))
    children = process.children(serving.pid)
    assert len(children) == 2
    serving.send_signal(signal.SIGINT)
    _, said = serving.communicate(timeout=PATIENCE_S)
    assert serving.returncode == 0, said
    assert "pushes left for the next start: " in said
    assert not any(map(process.exists, children))


def test_nobody_outlives_it(tmp_path: Path) -> None:
    serving, _ = start(tmp_path)
    children = process.children(serving.pid)
    serving.kill()
    serving.communicate(timeout=PATIENCE_S)
    wait_until(lambda: not any(map(process.is_running, children)))
