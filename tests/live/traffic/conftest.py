"""Tests of traffic run once with each backend that this kernel has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ebprof import features
from tests.live.traffic.scenarios import Finished

BACKENDS = ("fentry", "kprobe", "tp_btf")


def needing(backend: str) -> pytest.ParameterSet:
    """A backend's name as a parameter of tests that need it."""
    needs = pytest.mark.needs(f"traffic_{backend}", features.OK, features.LIMITED)
    return pytest.param(backend, marks=needs)


@pytest.fixture(scope="session", params=map(needing, BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    """Name of a backend."""
    return str(request.param)


@pytest.fixture(scope="module")
def finished(request: pytest.FixtureRequest, backend: str) -> Iterator[Finished]:
    """What the SCENARIOS of a module have done beside one run with a backend."""
    done = request.module.SCENARIOS.run(backend)
    yield done
    done.close()
