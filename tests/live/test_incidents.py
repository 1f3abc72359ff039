"""One command names who is behind a spike.

Half a minute as usual, then a caller is planted beside three decoys, which were as loud, as hot or
as idle all the time.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ebprof import cli
from scripts.serve import free_port
from tests import collector_extra, targets
from tests.agents import Agent
from tests.collecting import Running

collector_extra.need()
PATIENCE_S = 180
HALF_S = 30
LEAST_WINDOWS = 20
"""Of each half: what a busy machine leaves of them."""
OPTIONS = "--interval 1s --frequency 99 --cpu-budget 100 --memory-budget 4096 --node here"
SERVICES = {
    "redis-server": "redis",
    **{name: name for name in ("web", "loud", "reindexer", "shares", "sleep")},
}
CALLERS = {"web": (200, 100), "loud": (100, 20_000)}
"""Calls a second, bytes of each."""
Capture = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Scene:
    """url: of the collector; started, ended: seconds of the second half."""

    url: str
    started: float
    ended: float


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(1)


@contextmanager
def started(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    words = [str(one) for one in command]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def redis(directory: Path) -> Iterator[int]:
    """Its port."""
    port = free_port()
    words = f"redis-server --bind 127.0.0.1 --port {port} --save".split()
    with started(*words, "", "--dir", directory):
        wait_until(lambda: answers(port))
        yield port


def caller(name: str, port: int, calls: int, size: int) -> list[object]:
    return [sys.executable, "-m", "scripts.caller", name, port, calls, size]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    path = tmp_path_factory.mktemp("changes")
    rules = (f'[[service]]\nname = "{name}"\ncomm = "{comm}"' for comm, name in SERVICES.items())
    (path / "agent.toml").write_text("\n".join(rules))
    options = ("--config", str(path / "agent.toml"), *OPTIONS.split())
    with ExitStack() as stack:
        collector = stack.enter_context(Running(path / "data"))
        collector.wait_until_ready()
        port = stack.enter_context(redis(path))
        for name, load in CALLERS.items():
            stack.enter_context(started(*caller(name, port, *load)))
        hot = stack.enter_context(targets.running("shares", 1, 1, 8))
        stack.enter_context(targets.resting(hot.pid, 0.2))
        url = f"http://127.0.0.1:{collector.port}"
        with Agent(url, spool=path / "spool", options=options) as agent:
            wait_until(lambda: agent.metric("windows_total") > 1)
            time.sleep(HALF_S)
            begin = float(int(time.time()) + 2)
            time.sleep(begin - time.time())
            with started("sleep", 1000), started(*caller("reindexer", port, 300, 50_000)):
                time.sleep(HALF_S)
                end = time.time()
                wait_until(lambda: windows(collector, begin, end) >= LEAST_WINDOWS)
                yield Scene(url, begin, end)


def windows(collector: Running, begin: float, end: float) -> int:
    """How many have arrived of the second half."""
    answer = collector.get("/api/v1/changes", from_=f"{begin:.3f}", to=f"{end:.3f}")
    return int(answer.json["windows"]["after"]) if answer.status == 200 else 0


def told(rows: list[dict[str, Any]]) -> str:
    return "\n".join(f"{row['weight']:.3f} {row['kind']} {row['text']}" for row in rows)


def changes(scene: Scene, capsys: Capture, service: str) -> list[dict[str, Any]]:
    words = ["changes", "--collector", scene.url, "--service", service, "--json"]
    words += ["--from", f"{scene.started:.3f}", "--to", f"{scene.ended:.3f}"]
    with pytest.raises(SystemExit) as found:
        cli.main(words)
    out, said = capsys.readouterr()
    assert found.value.code in (0, None), said
    rows: list[dict[str, Any]] = json.loads(out)["rows"]
    return rows


def test_an_unknown_caller_behind_a_spike_is_named_first(scene: Scene, capsys: Capture) -> None:
    rows = changes(scene, capsys, "redis")
    first = rows[0]
    assert (first["kind"], first["name"], first["fate"]) == ("callers", "reindexer", "new"), told(
        rows
    )
    assert first["figures"][0]["after"] == pytest.approx(150 * 50_000, rel=0.3)
    assert " reindexer (node here, pid " in first["text"]
    assert first["link"].startswith("/traffic?")
    assert not {"web", "loud", "sleep"} & {row["name"] for row in rows}


def test_decoys_are_no_changes(scene: Scene, capsys: Capture) -> None:
    """A function that is hot, and no hotter; a process that came, and does nothing."""
    for service in ("shares", "sleep"):
        assert changes(scene, capsys, service) == []
