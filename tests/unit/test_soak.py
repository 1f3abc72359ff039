"""The soak finds what it is there to find: books that do not balance, memory that grows."""

from __future__ import annotations

import gzip
import random
import struct
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ebprof.wire.flows import encode
from tests.flow_windows import Process, flow, window
from tests.soak.books import Stored, books, compare_flows
from tests.soak.faults import FAULTS, plan
from tests.soak.looks import LEAST_S, grows_steadily
from tests.soak.programs import AgentRun
from tests.soak.spooled import FlowSums, Spooled, SpoolWatch

SPOOLED = Spooled(files=3, samples=900, flow_rows=2, flows={1000: FlowSums(2, 70, 30)})
RUNS = (
    AgentRun(600, 10, Counter({"disk": 50, "refused": 40}), Counter(), is_killed=True),
    AgentRun(400, 0, Counter({"spool_full": 60}), Counter({"spool_full": 1})),
)


def test_what_was_taken_is_stored_dropped_or_waits() -> None:
    found = books(RUNS, SPOOLED, Stored(750, 100), Counter(push=50))
    assert (found.taken, found.never_spooled, found.cut_off) == (1000, 60, 40)
    assert found.dropped == {"refused": 40, "spool_full": 60}
    assert found.missing == 0 and found.faults() == []


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (Stored(749, 100), "+1 samples are missing"),
        (Stored(751, 100), "-1 samples are missing"),
        (Stored(750, 101), "-1 bytes of flows are missing"),
    ],
)
def test_one_too_few_or_too_many_is_said(stored: Stored, said: str) -> None:
    assert books(RUNS, SPOOLED, stored, Counter(push=50)).faults() == [said]


def test_bytes_are_missing_only_where_flows_were_dropped() -> None:
    assert not books(RUNS, SPOOLED, Stored(800, 90), {}).faults()
    runs = [replace(run, dropped_flows=Counter()) for run in RUNS]
    (said,) = books(runs, SPOOLED, Stored(800, 90), {}).faults()
    assert said == "+10 bytes of flows are missing"


def test_flows_are_compared_window_by_window() -> None:
    spooled = {1: FlowSums(2, 5, 5), 2: FlowSums(1, 7, 0)}
    assert compare_flows(spooled, spooled, 0) == []
    assert compare_flows(spooled, {1: spooled[1]}, 1) == []
    assert compare_flows(spooled, {1: spooled[1]}, 0) == [
        "1 flows are not stored, of which 0 were dropped"
    ]
    changed = {1: FlowSums(2, 5, 6), 2: spooled[2]}
    assert len(compare_flows(spooled, changed, 0)) == 1
    twice = {1: FlowSums(4, 10, 10), 2: spooled[2]}
    assert len(compare_flows(spooled, twice, 0)) == 2


def memory(*parts: float) -> Sequence[tuple[float, float]]:
    """Looks of so many MiB, each for a part of the time."""
    length = 2 * LEAST_S / len(parts)
    return [(n * length + at, mib) for n, mib in enumerate(parts) for at in (0.0, length * 0.9)]


def test_memory_that_grows_is_told_from_memory_that_varies() -> None:
    assert grows_steadily(memory(100, 120, 140, 160, 180, 200)) is True
    assert grows_steadily(memory(100, 120, 140, 130, 180, 200)) is False
    assert grows_steadily(memory(100, 101, 102, 103, 104, 105)) is False
    assert grows_steadily(memory(100, 200)[:1]) is None


def test_faults_come_by_the_seed_all_of_them_and_kill_in_the_first_half_only() -> None:
    first = [*plan(random.Random(7), 40, 300)]
    assert first == [*plan(random.Random(7), 40, 300)]
    assert first != [*plan(random.Random(8), 40, 300)]
    names = {one.fault.name for cycle in first[:20] for one in cycle}
    assert names == {fault.name for fault in FAULTS}
    assert not any(one.fault.kills for cycle in first[20:] for one in cycle)
    assert all(0 < one.begin < one.end < 300 for cycle in first for one in cycle)


def test_files_of_a_spool_are_seen_however_soon_they_go(tmp_path: Path) -> None:
    watch = SpoolWatch(tmp_path)
    rows = flow(Process("a"), tx=5), flow(Process("b"), tx=2, rx_bytes=7)
    body = gzip.compress(encode(window(*rows, at_ns=3 * 10**9)).SerializeToString())
    for number in range(20):
        new = tmp_path / f".{number:015}-2.flows.new"
        new.write_bytes(struct.pack("<8sII", b"ebprof-1", 0, len(body)) + body)
        done = new.rename(tmp_path / f"{number:015}-2.flows")
        if number < 19:
            time.sleep(0.01)
            done.unlink()
    new = tmp_path / f".{20:015}-11.push.new"
    new.touch()
    new.rename(tmp_path / f"{20:015}-11.push")
    end = time.monotonic() + 10
    while (found := watch.now()).files < 21 and time.monotonic() < end:
        time.sleep(0.01)
    assert (found.files, found.samples, found.flow_rows, found.unseen) == (21, 11, 40, 0)
    assert found.flows == {3000: FlowSums(40, 140, 140)}
    assert watch.waiting() == {"push": 11, "flows": 2}
