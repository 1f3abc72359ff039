"""A store's process that ends: why, when it is started again, and when not."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import pytest

from ebprof.collector.retention import Retention
from ebprof.collector.store import client, ending
from ebprof.collector.store.client import CannotStartError, StoreClient
from ebprof.collector.store.ending import MOST_ENDS, Ending, ending_of
from ebprof.errors import EXIT_FAILURE, EXIT_UNSUPPORTED

READY = """
import os, socket, sys
from ebprof.collector.store.wire import pack
connection = socket.socket(fileno=int(sys.argv[1]))
connection.sendall(pack(0, "ready"))
"""
END = "import os, sys; sys.stderr.write('first\\nthe reason\\n'); sys.stderr.flush()\n"


class World:
    """A client whose process is a script; sleeps: how long it waited between starts."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
        monkeypatch.setattr(client, "COMMAND", (sys.executable, "-c", script))
        monkeypatch.setattr(client, "FIRST_WAIT_S", 0.01)
        monkeypatch.setattr(client, "LONGEST_WAIT_S", 0.05)
        self.endings: list[Ending] = []
        self.troubles: list[str | None] = []
        self.store = StoreClient(path / "store", Retention(), self._note)

    def _note(self, found: Ending) -> None:
        self.endings.append(found)
        self.troubles.append(self.store.trouble)

    def run_until(self, ends: int) -> None:
        async def script() -> None:
            task = asyncio.create_task(self.store.run())
            while len(self.endings) < ends and not task.done():
                await asyncio.sleep(0.01)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(asyncio.wait_for(script(), 60))


def by(number: signal.Signals) -> str:
    return f"{END}os.kill(os.getpid(), {number:d})"


def test_a_cpu_that_lacks_instructions_ends_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("processor\t: 0\nflags\t\t: fpu sse4_2\n\nprocessor\t: 1\nflags\t: avx\n")
    monkeypatch.setattr(ending, "_CPUINFO", cpu)
    world = World(tmp_path, monkeypatch, by(signal.SIGILL))
    with pytest.raises(CannotStartError) as caught:
        world.run_until(5)
    assert [one.reason for one in world.endings] == ["SIGILL"]
    assert "a CPU with instructions that this one lacks (avx)" in caught.value.message
    assert caught.value.message.endswith(": the reason")
    assert caught.value.exit_code == EXIT_UNSUPPORTED


@pytest.mark.parametrize("script", [f"{END}sys.exit(7)", by(signal.SIGSEGV)])
def test_what_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    world = World(tmp_path, monkeypatch, script)
    with pytest.raises(CannotStartError) as caught:
        world.run_until(MOST_ENDS + 1)
    assert len(world.endings) == MOST_ENDS
    assert caught.value.exit_code == EXIT_FAILURE
    assert caught.value.message.endswith(": the reason")


def test_who_is_killed_is_started_again_later_and_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where it never answered: who killed it may stop."""
    world = World(tmp_path, monkeypatch, by(signal.SIGKILL))
    world.run_until(5)
    assert [one.reason for one in world.endings] == ["SIGKILL"] * 5
    waits = [
        float(one.getMessage().rpartition("after ")[2].removesuffix(" s")) for one in caplog.records
    ]
    assert waits[:4] == [0.01, 0.02, 0.04, 0.05]
    assert world.troubles[0] == "the store is starting"
    assert "ended by SIGKILL: somebody killed it" in str(world.troubles[1])
    assert ": the reason; it is started again after" in str(world.troubles[1])


def test_what_has_answered_is_never_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, monkeypatch, READY + by(signal.SIGSEGV))
    world.run_until(MOST_ENDS + 2)
    assert [one.reason for one in world.endings] == ["SIGSEGV"] * (MOST_ENDS + 2)
    assert world.troubles[0] is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [(0, "exit"), (3, "exit"), (-9, "SIGKILL"), (-34, "SIGRTMIN"), (-63, "signal_63")],
)
def test_each_end_has_a_reason(code: int, reason: str) -> None:
    found = ending_of(code, "a\x1b[31mb\n")
    assert (found.reason, found.last_line) == (reason, "a[31mb")
    assert str(found).startswith("the store's process ended ")


AWAY = READY.replace('"ready"', 'Away("no answer from there")').replace(
    "import pack", "import Away, pack"
)
BACK = 'connection.sendall(pack(0, "ready"))\n'


def test_a_store_that_is_away_is_not_ready_and_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether its process ends meanwhile or not; once it is back it is ready."""
    world = World(tmp_path, monkeypatch, AWAY + BACK + END + "sys.exit(7)")
    world.run_until(MOST_ENDS + 1)
    assert len(world.endings) == MOST_ENDS + 1
    assert world.troubles[0] is None
    assert caplog.messages[:2] == ["the store is away: no answer from there", "the store is back"]


def test_one_that_was_only_ever_away_is_given_up_when_its_process_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, monkeypatch, AWAY + END + "sys.exit(7)")
    with pytest.raises(CannotStartError):
        world.run_until(MOST_ENDS + 1)
    assert world.troubles[0] == "the store is away: no answer from there"
