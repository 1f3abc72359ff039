"""Features of the kernel that a test cannot do without."""

from __future__ import annotations

import pytest

from ebprof import features


def skip_without(name: str, *states: str) -> None:
    """Skip the test unless a feature is in one of these states; none: unless it is all there."""
    feature = features.probe(name)
    if feature.state not in (states or (features.OK,)):
        pytest.skip(f"{feature.name}: {feature.detail}")
