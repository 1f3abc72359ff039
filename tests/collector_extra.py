"""What tests of the collector cannot do without: the packages of its extra, and a CPU for them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGES = ("chdb", "python_multipart", "starlette", "uvicorn")
CPU_FLAG = "avx"
"""Without it, chdb ends the process that imports it by SIGILL."""


def missing() -> str:
    """What is not there; empty where all is. It imports nothing: chdb forbids later forks."""
    for package in PACKAGES:
        if find_spec(package) is None:
            return f"needs {package} (PyPI)"
    if CPU_FLAG not in Path("/proc/cpuinfo").read_text().split():
        return f"chdb needs a CPU with {CPU_FLAG}"
    return ""


def need() -> None:
    """Skip the module unless all of that is there."""
    if reason := missing():
        pytest.skip(reason, allow_module_level=True)
