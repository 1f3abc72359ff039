"""Runs Debian's tools, those for root as well, and turns what they say into one line."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.vm.errors import VmError

SECONDS = 300
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def find(name: str) -> Path:
    """Where a program is; VmError when it is not installed."""
    found = shutil.which(name, path=PATH)
    if found is None:
        raise VmError(f"no {name} here: on Debian, run scripts/system-packages vm")
    return Path(found)


def output(name: str, *arguments: str, directory: Path | None = None) -> str:
    """Standard output of a program; VmError with its last words when it fails."""
    command = [str(find(name)), *arguments]
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise VmError(f"{name} took more than {SECONDS} s") from None
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise VmError(f"{name} failed: {words[0]}")
    return done.stdout
