"""Hand-written assembly, with and without call frame information."""

from __future__ import annotations

import pytest

from tests import targets
from tests.live.profiled import COMPLETE_SHARE, assert_complete, profile


@pytest.mark.parametrize("variant", ["default", "fp", "no_pie"])
@pytest.mark.parametrize("kind", ["cfi", "r12", "pushes", "frames"])
def test_stacks_go_through_assembly(kind: str, variant: str) -> None:
    with targets.running("assembly", kind, variant=variant) as target:
        done = profile("-p", target.pid, seconds=1)
    assert_complete(done)
    chain = ("main", f"call_{kind}", f"asm_{kind}", f"asm_{kind}_leaf")
    assert done.count_calls(*chain) >= COMPLETE_SHARE * done.total


def test_nothing_is_made_up_where_the_code_has_no_symbols() -> None:
    with targets.running("assembly", "pushes", variant="stripped") as target:
        done = profile("-p", target.pid)
    assert done.stats["samples"]["lost"] == 0
    assert done.stops.keys() <= {"no_row", "complete"}
    guessed = done.count(lambda stack: "[anon]" in "".join(stack))
    assert guessed == 0
