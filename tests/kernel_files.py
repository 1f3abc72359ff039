"""Stands for the file systems of the kernel that need not be mounted: tracefs, securityfs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ebprof.procfs import kernelfs
from ebprof.procfs.kernelfs import FileSystem, Root


def kernel_files(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Let this directory be the root of each of them."""

    @contextmanager
    def opened(system: FileSystem) -> Iterator[Root]:
        descriptor = os.open(directory, os.O_PATH)
        yield Root(system, descriptor)
        os.close(descriptor)

    monkeypatch.setattr(kernelfs, "opened", opened)
