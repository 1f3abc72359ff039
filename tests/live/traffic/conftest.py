"""Tests of traffic run once with each backend that this kernel has."""

from __future__ import annotations

import pytest

from ebprof import features

BACKENDS = ("fentry", "kprobe", "tp_btf")


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Name of a backend."""
    name = str(request.param)
    feature = features.probe(f"traffic_{name}")
    if feature.state not in (features.OK, features.LIMITED):
        pytest.skip(f"{feature.name}: {feature.detail}")
    return name
