"""Tests in several processes are what they are in one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COUNT = 8
CONFTEST = """
import os, pytest

pytest_plugins = ["tests.processes"]

@pytest.fixture(scope="session", autouse=True)
def process():
    print("made in", os.getpid())
    return os.getpid()
"""
TESTS = f"""
import os, pytest, warnings

@pytest.mark.parametrize("number", range({COUNT}))
def test_passes(number, process, tmp_path):
    assert process == os.getpid()
    assert not any(tmp_path.iterdir())
"""
FAILING = """
import os, signal, warnings

def test_fails():
    os.system("echo it was $((40 + 2))")
    assert 1 == 2

def test_warns():
    warnings.warn("beware")

def test_ends_its_process():
    os.kill(os.getpid(), signal.SIGKILL)

def test_after_that():
    pass
"""


def run(directory: Path, *options: str) -> str:
    """What pytest says of tests in a directory."""
    options = ("-p", "no:cacheprovider", "-c", "/dev/null", "-rA", *options)
    command = [sys.executable, "-m", "pytest", *options, str(directory)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_failing.py").write_text(FAILING)
    for name in "abc":
        (tmp_path / f"test_{name}.py").write_text(TESTS)
    return tmp_path


def test_all_run_and_what_ends_a_process_fails(tests: Path) -> None:
    said = run(tests, "--processes", "2")
    assert f"2 failed, {3 * COUNT + 2} passed, 1 warning" in said
    assert "it was 42" in said
    assert "beware" in said
    assert "the process that ran it has ended with -9" in said
    made = re.findall(r"made in (\d+)", said)
    assert len(made) == len(set(made)) >= 2, "once a process, one of which takes another's place"


def test_the_first_failure_ends_a_session(tests: Path) -> None:
    said = run(tests, "--processes", "1", "-x", "-k", "failing")
    assert "1 failed" in said
    assert "stopping after 1 failures" in said


def test_what_cannot_be_collected_does_not_run(tests: Path) -> None:
    (tests / "test_bad.py").write_text("import no_such_module")
    said = run(tests, "--processes", "2")
    assert "1 error" in said
    assert "passed" not in said
