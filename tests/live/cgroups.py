"""Cgroups for the live tests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def new_cgroup(roots: Sequence[Path]) -> Iterator[Path]:
    """A cgroup below the first of these hierarchies; what is in it at the end goes to the root."""
    if not roots:
        pytest.skip("no hierarchy of cgroups that will do is mounted")
    made = roots[0] / f"ebprof-test-{os.getpid()}"
    made.mkdir()
    yield made
    for pid in (made / "cgroup.procs").read_text().split():
        (roots[0] / "cgroup.procs").write_text(pid)
    made.rmdir()
