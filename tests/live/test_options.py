"""Where output goes, and what the statistics say."""

from __future__ import annotations

import json
import time

from tests import targets
from tests.live.profiled import FREQUENCY, SECONDS, SOME, after_work, fold, profile, run


def test_a_pipe_gets_folded_stacks_and_nothing_else() -> None:
    with targets.running("split") as target:
        done = run("profile", "-p", target.pid, "-F", FREQUENCY, until=after_work([target.pid]))
    assert done.returncode == 0, done.stderr
    assert fold(done.stdout).total() > SOME


def test_statistics_add_up() -> None:
    start = time.monotonic()
    with targets.running("demo") as target:
        done = profile("-p", target.pid, seconds=SECONDS)
    samples, stacks = done.stats["samples"], done.stats["stacks"]
    assert samples["total"] == sum(stacks["stop"].values()) == done.total
    assert samples["lost"] == 0
    assert SECONDS <= done.stats["duration_seconds"] < time.monotonic() - start
    assert done.stats["frequency"] == FREQUENCY
    assert done.stats["bpf"]["run_count"] >= samples["total"]
    assert 0 < done.stats["bpf"]["run_seconds"] < 0.25 * done.stats["duration_seconds"]
    json.dumps(done.stats, allow_nan=False)
