"""`make serve`: what it says can be asked is answered, and nothing outlives it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ebprof.procfs import process
from scripts.serve import CALLERS, ROOT
from tests import collector_extra, targets

collector_extra.need()
PATIENCE_S = 180
QUICK = "--interval 1s --cpu-budget 100 --memory-budget 4096"
"""An agent that need not save CPU time while it starts."""
RARELY = """
from scripts import serve
serve.CALLERS.update(checkout=(50, 100), reports=(20, 1_000))
raise SystemExit(serve.main())
"""
"""`python -m scripts.serve` whose callers leave CPU time to others."""


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    subprocess.run(["make", "-s", "build/demo"], cwd=ROOT, check=True)
    command = [sys.executable, "-c", RARELY, "--listen", "127.0.0.1:0", *QUICK.split()]
    with subprocess.Popen(
        [*command, "--data", str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as serving:
        try:
            yield serving
        finally:
            serving.terminate()  # and all that it started


def advice(serving: subprocess.Popen[str]) -> tuple[str, str]:
    """What it says, and the URL in it."""
    assert serving.stdout is not None
    text = ""
    while "Ctrl-C ends" not in text:
        line = serving.stdout.readline()
        assert line, text
        text += line
    return text, text.split(" at ")[1].split()[0]


def ask(url: str) -> bytes:
    """What there is so far; nothing while there is none."""
    try:
        with urllib.request.urlopen(url) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError:
        return b""


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(1)  # each look costs the store a tenth of a second


def services(url: str) -> set[str]:
    body = ask(f"{url}/api/v1/labels/service_name/values")
    return set(json.loads(body)["rows"]) if body else set()


def callers_of_redis(url: str) -> set[str]:
    """Who sent it anything; each once it is seen."""
    query = "query=%7Bservice%3D%22redis%22%7D&by=service,peer_service&from=now-5m"
    rows = json.loads(ask(f"{url}/api/v1/flows?{query}") or b'{"rows": []}')["rows"]
    return {row["peer_service"] for row in rows if row["rx_bytes"]}


def descendants(pid: int) -> list[int]:
    found = process.children(pid)
    return [*found, *(one for child in found for one in descendants(child))]


@contextmanager
def resting_demo(serving: subprocess.Popen[str]) -> Iterator[None]:
    """Its demo, which takes all the CPU there is, leaves most of it to others."""
    (demo,) = (one for one in descendants(serving.pid) if process.comm(one) == "demo")
    with targets.resting(demo, share=0.1):
        yield


def test_it_watches_the_demo_redis_and_who_calls_it(serving: subprocess.Popen[str]) -> None:
    text, url = advice(serving)
    assert f"curl -sG {url}/api/v1/profiles/flamegraph" in text
    query = "type=cpu&query=%7Bservice_name%3D%22demo%22%7D&from=now-5m&format=folded"
    with resting_demo(serving):
        wait_until(lambda: {"demo", "redis"} <= services(url))
        wait_until(lambda: set(CALLERS) <= callers_of_redis(url))
        wait_until(lambda: b"compress" in ask(f"{url}/api/v1/profiles/flamegraph?{query}"))
    started = descendants(serving.pid)
    assert len(started) > len(CALLERS) + 3
    serving.send_signal(signal.SIGINT)
    serving.communicate(timeout=PATIENCE_S)
    assert serving.returncode == 0
    wait_until(lambda: not any(map(process.is_running, started)))


def test_nothing_outlives_one_that_is_killed(serving: subprocess.Popen[str]) -> None:
    advice(serving)
    started = descendants(serving.pid)
    serving.kill()
    serving.communicate(timeout=PATIENCE_S)
    wait_until(lambda: not any(map(process.is_running, started)))
