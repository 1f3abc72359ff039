"""Tests that take long: run with EBPROF_SLOW=1 only (`make slow`), or on less."""

from __future__ import annotations

import os

import pytest

IS_SLOW = os.environ.get("EBPROF_SLOW") == "1"
only = pytest.mark.slow
"""Is left out otherwise, and counted as what a kernel lacks is (`tests/needed.py`)."""


def examples(count: int) -> int:
    """How many hypothesis is to make of so many that it makes in `make slow`: a third."""
    return count if IS_SLOW else count // 3
