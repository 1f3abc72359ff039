"""What no test of this directory may depend on: the machine's load, and tests before it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import slow, targets

settings.register_profile(
    "ebprof",
    max_examples=slow.examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ebprof")


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """`cli.main` ends by ignoring signals, as its process is about to end; this one is not."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def gowork() -> Path:
    """A program of Go's, with debug information."""
    try:
        return targets.build("gowork")
    except targets.MissingCompilerError as error:
        pytest.skip(str(error))
