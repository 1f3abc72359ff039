"""Tools of binutils and their like, run by tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def functions(path: Path) -> dict[str, tuple[int, int]]:
    """Address and size of every function that nm lists, by linker's name."""
    found = {}
    for line in run("nm", "-S", path).splitlines():
        words = line.split()
        if len(words) == 4 and words[2] in "tTwW":
            found[words[3]] = (int(words[0], 16), int(words[1], 16))
    return found


def run(*words: object) -> str:
    """Run a tool; the test is skipped when it is not there."""
    command = [str(word) for word in words]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
