"""Programs for tests are built once, whoever asks for them at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import targets

# Says that it was called, takes a while, and writes its output in two steps.
COMPILER = """#!/bin/sh
echo called >>{log}
while [ "$1" != -o ]; do shift; done
printf half >"$2"
sleep 0.3
{then}
printf whole >"$2"
"""
BUILD = """
import sys
from pathlib import Path
from tests import targets

targets.BUILT = Path(sys.argv[1])
print(targets.build("split").read_text())
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Calls of a compiler that takes gcc's place."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr(targets, "BUILT", tmp_path / "built")
    (tmp_path / "bin").mkdir()
    return tmp_path / "log"


def set_compiler(log: Path, then: str = "") -> None:
    compiler = log.with_name("bin") / "gcc"
    compiler.write_text(COMPILER.format(log=log, then=then))
    compiler.chmod(0o755)


def test_two_processes_build_a_program_once_and_find_all_of_it(log: Path) -> None:
    set_compiler(log)
    command = [sys.executable, "-c", BUILD, str(targets.BUILT)]
    builders = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [builder.communicate()[0] for builder in builders] == ["whole\n"] * 3
    assert log.read_text() == "called\n"


def test_what_a_compiler_left_unfinished_is_built_again(log: Path) -> None:
    build = targets.build.__wrapped__
    set_compiler(log, then="exit 1")
    with pytest.raises(RuntimeError, match="gcc"):
        build("split")
    set_compiler(log)
    assert build("split").read_text() == "whole"
    assert len(log.read_text().splitlines()) == 2
