"""What systemd is told, and that its units are right."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ebprof.notify import Notifier
from tests.notified import systemd

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))


def test_how_a_service_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with systemd(tmp_path, monkeypatch, watchdog_s=1000) as listener:
        notifier = Notifier()
        notifier.ready()
        notifier.alive()
        notifier.alive()
        notifier.reloading()
        notifier.stopping()
        heard = [listener.next() for _ in range(4)]
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", heard.pop(2))
    assert heard == ["READY=1", "WATCHDOG=1", "STOPPING=1"]
    notifier.ready()  # nobody is there any more


def test_an_abstract_socket() -> None:
    name = f"ebprof-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "2500000"}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getpid())}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
    ],
)
def test_the_watchdog(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/nowhere"} | environment).watchdog_s == seconds
    assert Notifier(environment).watchdog_s is None


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_the_units_are_right(path: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze")
    here = Path(sys.executable).with_name("ebprof")
    text = path.read_text()
    assert "Type=notify\n" in text and "ExecReload=/bin/kill -HUP $MAINPID\n" in text
    unit = tmp_path / path.name
    unit.write_text(text.replace("/usr/local/bin/ebprof", str(here)))
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_both_commands_have_one() -> None:
    assert [path.stem for path in UNITS] == ["ebprof-agent", "ebprof-collector"]
