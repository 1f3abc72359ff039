"""Runs `ebprof` as a user without any rights."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

TIME_LIMIT = 60
SETPRIV = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """`ebprof WORDS...` as nobody."""
    return _python("-m", "ebprof", *map(str, words))


@cache
def missing() -> str:
    """Why this cannot be done here; empty when it can. For skipping tests by name."""
    try:
        done = _python("-c", "import click, ebprof._native")
    except FileNotFoundError:
        return "no setpriv here"
    if done.returncode == 0:
        return ""
    return "not root, or nobody cannot read this Python or this directory"


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    command = [*SETPRIV, sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT)
