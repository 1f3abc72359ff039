"""Processes and cgroups with names that are no names: in the table, in text and in JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.terminal import terminal
from tests.live.traffic.puppet import puppet

NAME = "\x1b[2Ja;\r\u202e\x9bb"
SHOWN = "\ufffd[2Ja;\ufffd\ufffd\ufffdb"
CONTAINER = "0123456789abcdef" * 4
ADDRESS = "127.0.0.1"
TIME_LIMIT = 60


@contextmanager
def hostile_traffic() -> Iterator[tuple[int, int]]:
    """A client of that name, which keeps sending: its number, and the port it sends to."""
    with puppet("server") as server, puppet(NAME) as client:
        port = server.listen("listener", ADDRESS)
        server.serve("listener")
        client.connect("one", ADDRESS, port)
        client.flood("one", 5000, 0.05)
        yield client.pid, port


def traffic(*words: object) -> str:
    """What `ebprof traffic WORDS... 1 2` says, a second two times."""
    command = [sys.executable, "-m", "ebprof", "traffic", *words, 1, 2]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=TIME_LIMIT
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_names_of_processes_in_json_and_text() -> None:
    with hostile_traffic() as (pid, port):
        lines = traffic("--json", "-p", pid).split("\n")
        text = traffic("--to", f"{ADDRESS}:{port}")
    assert {json.loads(line)["comm"] for line in lines if line} == {SHOWN}
    assert SHOWN in text
    assert not any(char in text for char in "\x1b\r\x9b\u202e")


def test_names_of_processes_on_the_screen() -> None:
    """An escape that was obeyed would clear the screen, with the title in its first line."""
    with hostile_traffic() as (_, port), terminal() as opened:
        opened.run("traffic", "--to", f"{ADDRESS}:{port}")
        lines = opened.until_text(SHOWN)
        assert any("server" in line for line in lines)
        assert any(line.startswith(" total ") for line in lines)
        opened.press("q")


@contextmanager
def cgroup(directory: Path, name: str) -> Iterator[Path]:
    """A cgroup (v2) of this name, in a hierarchy that is mounted for it."""
    directory.mkdir()
    mount = ["mount", "-t", "cgroup2", "none", str(directory)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount cgroup2 here")
    place = directory / name
    try:
        place.mkdir(parents=True)
        yield place
    finally:
        while place != directory:
            place.rmdir()
            place = place.parent
        subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x;y\x1b[31m \udcff", "/x;y\ufffd[31m \ufffd"),
        ("a\r0::/docker-imposter", "/a\ufffd0::/docker-imposter"),
        (f"\t/docker-{CONTAINER}.scope", f"/\ufffd/docker-{CONTAINER}.scope"),
    ],
)
def test_names_of_cgroups(name: str, shown: str, tmp_path: Path) -> None:
    with cgroup(tmp_path / "cgroup", name) as place, hostile_traffic() as (pid, _):
        (place / "cgroup.procs").write_text(str(pid))
        lines = traffic("--json", "-p", pid).split("\n")
        (place.parents[name.count("/")] / "cgroup.procs").write_text(str(pid))
    flows = [json.loads(line) for line in lines if line]
    assert {flow["comm"] for flow in flows} == {SHOWN}
    assert {flow["cgroup"] for flow in flows} == {shown}
    assert {flow["container"] for flow in flows} == {CONTAINER if CONTAINER in name else None}
