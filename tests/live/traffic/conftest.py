"""Tests of traffic run once with each backend that this kernel has."""

from __future__ import annotations

import pytest

from ebprof import features
from tests import needed

BACKENDS = ("fentry", "kprobe", "tp_btf")


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Name of a backend."""
    name = str(request.param)
    needed.skip_without(f"traffic_{name}", features.OK, features.LIMITED)
    return name
