"""A tight loop through the procedure linkage table, in every form that linkers give it."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, assert_complete, profile


@pytest.mark.parametrize("variant", ["lazy", "eager", "eager_no_plt", "lazy_cet"])
def test_stacks_go_through_the_plt(variant: str) -> None:
    with targets.running("plt", variant=variant) as target:
        done = profile("-p", target.pid)
    assert_complete(done)
    whole = done.count(lambda stack: "main" in stack and "call_library" in stack)
    assert whole >= COMPLETE_SHARE * done.total
