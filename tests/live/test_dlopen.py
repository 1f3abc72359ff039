"""Code that appears in a process while ebprof watches it."""

from __future__ import annotations

from tests import targets
from tests.live.profiled import assert_share, profile


def test_plugin_opened_while_watching() -> None:
    with targets.running("dlopen", targets.build("plugin"), 1500) as target:
        done = profile("-p", target.pid, work=2.5)
    after = done.count_of("use_plugin")
    assert_share(done.count_of("plugin_leaf"), after, 0.8)
    assert_share(done.count_of("host_leaf"), after, 0.2)
    assert done.complete_share >= 0.99, done.stops
    assert done.stats["samples"]["lost"] == 0


def test_plugin_closed_and_opened_again() -> None:
    with targets.running("dlopen", targets.build("plugin"), 0, "reopen") as target:
        done = profile("-p", target.pid, work=1)
    assert_share(done.count_of("plugin_leaf"), done.total, 0.8, slack=0.03)
    assert done.complete_share >= 0.98, done.stops
    assert done.stats["samples"]["lost"] == 0
