"""Tests of traffic run once with each backend that this kernel has."""

from __future__ import annotations

import pytest

from ebprof import features

BACKENDS = ("fentry", "kprobe", "tp_btf")


def needing(backend: str) -> pytest.ParameterSet:
    """A backend's name as a parameter of tests that need it."""
    needs = pytest.mark.needs(f"traffic_{backend}", features.OK, features.LIMITED)
    return pytest.param(backend, marks=needs)


@pytest.fixture(scope="session", params=map(needing, BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    """Name of a backend."""
    return str(request.param)
