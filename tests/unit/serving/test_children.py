"""Children: they are waited for, passed on, and end together."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from ebprof.errors import EbprofError
from ebprof.serving import children
from ebprof.serving.children import Child, ebprof, run_together
from ebprof.signals import SignalNotes
from tests import collector_extra

collector_extra.need()
ADDRESS = re.compile(r"collector at (\S+),")


def collector(tmp_path: Path, said: list[str]) -> Child:
    words = ["collector", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data")]
    return ebprof(words, said.append)


def test_one_that_ends_at_once_is_an_error() -> None:
    said: list[str] = []
    child = ebprof(["report", "/nowhere/x"], said.append)
    with pytest.raises(EbprofError, match="report has ended"):
        child.wait_for(ADDRESS)
    child.end()
    assert child.exit_code == 6
    assert said[0].startswith("cannot read /nowhere/x")


def test_one_that_says_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "READY_S", 0.01)
    child = collector(tmp_path, [])
    with pytest.raises(EbprofError, match="collector is not there"):
        child.wait_for(ADDRESS)
    child.end()
    assert child.exit_code is not None


def test_they_run_until_a_signal(tmp_path: Path) -> None:
    said: list[str] = []
    child = collector(tmp_path, said)
    assert child.wait_for(ADDRESS).startswith("http://127.0.0.1:")
    with SignalNotes(signal.SIGUSR1) as notes:
        os.kill(os.getpid(), signal.SIGUSR1)
        run_together([child], notes)
    assert child.exit_code is None
    child.end()
    assert child.exit_code == 0


def test_one_that_ends_is_noticed(tmp_path: Path) -> None:
    stays, ends = collector(tmp_path, []), ebprof(["report", "/nowhere/x"], lambda _: None)
    with (
        SignalNotes(signal.SIGUSR1) as notes,
        pytest.raises(EbprofError, match="report has ended with 6"),
    ):
        run_together([stays, ends], notes)
    stays.end()


def test_one_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    child = collector(tmp_path, said)
    monkeypatch.setattr(child, "_end_s", 0.01)
    child.wait_for(ADDRESS)
    child.end()
    assert child.exit_code == -signal.SIGKILL
    assert said[-1] == "collector does not end: it is killed"
