"""What tests of the collector cannot do without: the packages of its extra, and a CPU for them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGES = ("chdb", "starlette", "uvicorn")
CPU_FLAG = "avx"
"""Without it, chdb ends the process that imports it by SIGILL."""


def need() -> None:
    """Skip the module unless all of that is there. It imports nothing: chdb forbids later forks."""
    for package in PACKAGES:
        if find_spec(package) is None:
            pytest.skip(f"needs {package} (PyPI)", allow_module_level=True)
    if CPU_FLAG not in Path("/proc/cpuinfo").read_text().split():
        pytest.skip(f"chdb needs a CPU with {CPU_FLAG}", allow_module_level=True)
