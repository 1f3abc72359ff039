"""musl: a C library without call frame information, without frame pointers, without symbols."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, assert_complete, assert_share, profile

SPLIT = {"sixty": 0.6, "thirty": 0.3, "ten": 0.1}
VARIANTS = ["musl", "musl_static"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_functions_have_their_share(variant: str) -> None:
    with targets.running("split", variant=variant) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    for function, share in SPLIT.items():
        assert_share(done.count_calls("main", "serve", function), done.total, share)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("way", ["qsort", "signal"])
def test_stacks_go_through_the_library(way: str, variant: str) -> None:
    with targets.running("callbacks", way, variant=variant) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    whole = done.count(lambda stack: {"main", f"by_{way}", "burn"} <= {*stack})
    assert whole >= COMPLETE_SHARE * done.count_of("burn")
    # The rest is time of the system calls of `raise`, and of interrupts: more on a busy machine.
    assert whole >= 0.8 * done.total
    assert done.count_of("main") >= COMPLETE_SHARE * done.total
