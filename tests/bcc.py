"""bcc in tests: any headers that are installed will do, as long as the kernel has BTF."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ebprof.bpf import bcc
from ebprof.bpf.bcc import headers
from ebprof.errors import UnsupportedError

SOURCES = Path("/usr/src")
WITHOUT_BTF = "tests.live.without_btf"
"""Stands for ebprof, where the kernel's BTF is not to be seen."""


def skip_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have bcc find headers in one test; skip it where there are none, or no bcc."""
    others = sorted(SOURCES.glob("linux-headers-*-amd64"))
    if others and not _has_own_headers() and headers.VARIABLE not in os.environ:
        monkeypatch.setenv(headers.VARIABLE, str(others[-1]))
    _skip_without_bcc()


def skip_without_own_headers() -> None:
    """Skip the test where those of the running kernel are not installed, or bcc is not."""
    if not _has_own_headers():
        pytest.skip("the headers of this kernel are not installed")
    _skip_without_bcc()


def _skip_without_bcc() -> None:
    try:
        bcc.check()
    except UnsupportedError as error:
        pytest.skip(error.message)


def _has_own_headers() -> bool:
    return (headers.MODULES / os.uname().release / "build").is_dir()
