"""What C++ and libc put between a leaf and main: each language feature alone."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, assert_complete, profile

FEATURES = [
    "recursion",
    "templates",
    "lambdas",
    "virtual",
    "exceptions",
    "signal",
    "alternate_stack",
    "timer",
    "alloca",
    "realigned",
    "realigned_alloca",
    "qsort",
    "sort",
    "longjmp",
]


@pytest.mark.parametrize("variant", ["default", "fp", "unoptimized"])
@pytest.mark.parametrize("feature", FEATURES)
def test_stacks_go_through(feature: str, variant: str) -> None:
    with targets.running("features", feature, variant=variant) as target:
        done = profile("-p", target.pid, seconds=1)
    assert_complete(done)
    between = ("main", f"(anonymous namespace)::feature_{feature}")
    whole = done.count(lambda stack: all(name_in(stack, name) for name in between))
    assert whole >= (COMPLETE_SHARE - 0.01) * done.total  # main itself has a share as well


def name_in(stack: tuple[str, ...], name: str) -> bool:
    """True when a frame's function has this name, with or without its parameters."""
    return any(frame == name or frame.startswith(f"{name}(") for frame in stack)
