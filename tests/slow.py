"""Tests that take long: run with EBPROF_SLOW=1 only, or on less."""

from __future__ import annotations

import os

import pytest

IS_SLOW = os.environ.get("EBPROF_SLOW") == "1"
only = pytest.mark.skipif(not IS_SLOW, reason="slow: set EBPROF_SLOW=1")
