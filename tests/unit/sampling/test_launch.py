"""A command is held at its exec, let go, and its end is told as a shell tells it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ebprof.errors import CommandError
from ebprof.sampling.launch import HeldCommand


def wait(command: HeldCommand) -> int:
    """Let it run to its end; its exit code."""
    command.release()
    deadline = time.monotonic() + 10
    while not command.poll():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return command.exit_code


def test_it_has_executed_but_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = HeldCommand(["touch", str(mark)])
    assert Path(f"/proc/{command.pid}/exe").readlink().name in ("touch", "coreutils")
    time.sleep(0.05)
    assert not mark.exists()
    assert wait(command) == 0
    assert mark.exists()


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -TERM $$", 128 + 15)])
def test_exit_codes_are_a_shells(script: str, code: int) -> None:
    assert wait(HeldCommand(["sh", "-c", script])) == code


def test_a_command_that_does_not_exist() -> None:
    with pytest.raises(CommandError, match="no such command") as caught:
        HeldCommand(["ebprof-no-such-command"])
    assert caught.value.exit_code == 127


def test_a_file_that_cannot_be_executed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(CommandError) as caught:
        HeldCommand([str(file)])
    assert caught.value.exit_code == 126


def test_one_that_was_never_let_go_is_killed() -> None:
    command = HeldCommand(["sleep", "60"])
    command.end()
    with pytest.raises(ProcessLookupError):
        os.kill(command.pid, 0)


def test_one_that_still_runs_is_asked_to_end() -> None:
    command = HeldCommand(["sleep", "60"])
    command.release()
    command.end()
    assert command.exit_code == 128 + 15


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_one_that_was_never_let_go_does_not_outlive_ebprof(number: signal.Signals) -> None:
    script = (
        "import time; from ebprof.sampling.launch import HeldCommand\n"
        "print(HeldCommand(['sleep', '77']).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        process.send_signal(number)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/cmdline").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
