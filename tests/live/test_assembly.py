"""Hand-written assembly without symbols; with them it is rows of test_chains.py."""

from __future__ import annotations

from tests import targets
from tests.live.profiled import profile


def test_nothing_is_made_up_where_the_code_has_no_symbols() -> None:
    with targets.running("assembly", "pushes", variant="stripped") as target:
        done = profile("-p", target.pid)
    assert done.stats["samples"]["lost"] == 0
    assert done.stops.keys() <= {"no_row", "complete"}
    guessed = done.count(lambda stack: "[anon]" in "".join(stack))
    assert guessed == 0
