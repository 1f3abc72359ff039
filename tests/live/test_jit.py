"""Code without a file, named by a perf map."""

from __future__ import annotations

from tests import targets
from tests.live.profiled import assert_complete, profile


def test_jitted_code_has_names_and_callers() -> None:
    with targets.running("jit") as target:
        done = profile("-p", target.pid, "-U")
    assert_complete(done)
    chain = ("main", "call_jitted", "jitted_entry", "jitted_leaf")
    assert done.count(lambda stack: stack[-4:] == chain) >= 0.97 * done.total
