"""Reports: what is put together, in which order, under which name."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebprof._native import lib
from ebprof.abi import FLOW_KEY, PAIR, PAIR_KEY
from ebprof.bpf.traffic import FlowBatch
from ebprof.errors import NoTargetError, UsageError
from ebprof.identity.placement import Placement
from ebprof.identity.processes import Processes
from ebprof.model import FlowReport, FlowRow
from ebprof.procfs.process import start_time
from ebprof.traffic import backends
from ebprof.traffic.endpoint import parse_endpoint
from ebprof.traffic.filter import FlowFilter
from ebprof.traffic.grouping import PIVOTS, SORTS, Within, check_sort, parse_pivots
from ebprof.traffic.monitor import COUNTERS, Monitor
from ebprof.traffic.table import FlowTable
from tests.unit.traffic.batches import (
    SERVER,
    UNKNOWN,
    FakeSession,
    batch,
    counts,
    key,
    owner,
    packed,
    process,
)

NOTHING = FlowFilter()
CONTAINER = "c0ffee" * 10 + "c0ff"


def monitor(*batches: FlowBatch, filter: FlowFilter = NOTHING) -> Monitor:
    """One that has taken the batches."""
    session: Any = FakeSession(*batches)
    made = Monitor(session, "fake", filter)
    for _ in batches:
        made.tick()
    return made


def batches_of(made: Monitor) -> list[FlowBatch]:
    """What it will take."""
    assert isinstance(made._session, FakeSession)
    return made._session.batches


def named(*pids: int) -> list[Any]:
    return [(process(pid), owner(f"name-{pid}")) for pid in pids]


@pytest.fixture
def redis() -> Monitor:
    """Two callers of a service, one of them twice, and the service."""
    return monitor(
        batch(
            (key(1, peer="10.0.0.2", peer_port=6379), counts(100, 1000, tx_calls=1, rx_calls=9)),
            (key(1, peer="10.0.0.3", peer_port=6379), counts(10, 20, rtt_sum=600, rtt_count=2)),
            (key(2, peer="10.0.0.2", peer_port=6379), counts(1, 2, rtt_sum=50, rtt_count=1)),
            (
                key(3, peer="10.0.0.1", local="10.0.0.2", local_port=6379, role=SERVER),
                counts(1002, 101, opened=7, closed=3, retransmits=2),
            ),
            owners=named(1, 2, 3),
        )
    )


def test_one_flow_is_a_row_with_all_there_is() -> None:
    failed = counts(5, 6, tx_calls=1, rx_calls=2, opened=3, closed=4, retransmits=5)
    failed["failed"][0] = [7, 0, 0, 8, 0, 0]
    flow = key(9, peer="fd00::1", local="fd00::2", local_port=80, role=SERVER)
    report = monitor(batch((flow, failed), owners=named(9))).rows(("flow",))
    (row,) = report.rows
    assert (row.pid, row.comm, row.role, row.family, row.flows) == (9, "name-9", "server", 6, 1)
    assert (row.local_address, row.local_port) == ("fd00::2", 80)
    assert (row.peer_address, row.peer_port, row.peer_name, row.port) == ("fd00::1", None, None, 80)
    assert row.totals == row.recent == report.totals.totals
    assert (row.totals.tx_bytes, row.totals.rx_bytes) == (5, 6)
    assert (row.totals.tx_calls, row.totals.rx_calls) == (1, 2)
    assert (row.totals.connections, row.totals.closed, row.totals.retransmits) == (3, 4, 5)
    assert (row.totals.failed_connects, row.totals.connect_errors) == (
        15,
        (("refused", 7), ("reset", 8)),
    )
    assert row.rtt_us is None
    assert 0 <= row.age_s < 60
    assert report.interval_s > 0 and report.elapsed_s >= report.interval_s


def rows_by(report: FlowReport, name: str) -> dict[Any, FlowRow]:
    found = {getattr(row, name): row for row in report.rows}
    assert len(found) == len(report.rows)
    return found


@pytest.mark.parametrize(
    ("by", "name", "received"),
    [
        ("process", "pid", {1: 1020, 2: 2, 3: 101}),
        ("pid", "pid", {1: 1020, 2: 2, 3: 101}),
        ("comm", "comm", {"name-1": 1020, "name-2": 2, "name-3": 101}),
        ("peer", "peer_address", {"10.0.0.2": 1002, "10.0.0.3": 20, "10.0.0.1": 101}),
        ("local", "local_port", {None: 1022, 6379: 101}),
        ("port", "port", {6379: 1123}),
        ("role", "role", {"client": 1022, "server": 101}),
        ("family", "family", {4: 1123}),
        ("container", "container", {None: 1123}),
        ("cgroup", "cgroup", {None: 1123}),
    ],
)
def test_pivots(redis: Monitor, by: str, name: str, received: dict[Any, int]) -> None:
    found = rows_by(redis.rows((by,)), name)
    assert {value: row.totals.rx_bytes for value, row in found.items()} == received


def test_pivots_together_and_the_flow_itself(redis: Monitor) -> None:
    assert len(redis.rows(("process", "peer")).rows) == 4
    assert len(redis.rows(("peer", "port")).rows) == 3
    assert len(redis.rows(("flow",)).rows) == len(redis.rows(("flow", "role")).rows) == 4


def test_what_flows_do_not_share_is_none(redis: Monitor) -> None:
    row = rows_by(redis.rows(("process",)), "pid")[1]
    assert (row.peer_address, row.comm, row.role, row.peer_port) == (None, "name-1", "client", 6379)
    assert (row.flows, row.totals.tx_bytes, row.rtt_us) == (2, 110, 300.0)
    (row,) = redis.rows(("port",)).rows
    assert (row.pid, row.comm, row.role, row.peer_port, row.local_port) == (None,) * 5
    assert (row.port, row.family, row.flows, row.rtt_us) == (6379, 4, 4, pytest.approx(650 / 3))


def test_addresses_of_two_families_are_never_the_same() -> None:
    """1.2.3.4 and 102:304:: have the same bytes."""
    flows = [(key(1, peer=peer, local=peer), counts(1)) for peer in ("1.2.3.4", "102:304::")]
    made = monitor(batch(*flows))
    (row,) = made.rows(("process",)).rows
    assert (row.peer_address, row.local_address, row.family) == (None, None, None)
    assert set(rows_by(made.rows(("peer",)), "peer_address")) == {"1.2.3.4", "102:304::"}


def test_port_of_a_flow_whose_role_is_unknown() -> None:
    flows = (
        (key(1, local_port=40000, peer_port=80, role=UNKNOWN), counts(1)),
        (key(2, local_port=80, peer_port=40000, role=UNKNOWN), counts(1)),
        (key(3, local_port=0, peer_port=80, role=UNKNOWN), counts(1)),
    )
    (row,) = monitor(batch(*flows)).rows(("port",)).rows
    assert (row.port, row.flows, row.role) == (80, 3, "unknown")


def test_one_process_number_twice_is_two_processes() -> None:
    made = monitor(batch((key(1, start=1), counts(1)), (key(1, start=2), counts(1))))
    assert len(made.rows(("process",)).rows) == 2
    assert len(made.rows(("pid",)).rows) == 1


def test_no_process_is_shown_and_counted() -> None:
    (row,) = monitor(batch((key(0, start=0), counts(5)))).rows(("process",)).rows
    assert (row.pid, row.comm, row.totals.tx_bytes) == (0, "-", 5)


@pytest.mark.parametrize("pivot", ["container", "pod", "unit"])
def test_place_among_cgroups(pivot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/docker/{CONTAINER}"
    placed = Placement((path,), path, **{pivot: CONTAINER})  # type: ignore[arg-type]
    monkeypatch.setattr(
        Processes,
        "_find_placement",
        lambda self, pid, *_: placed if pid < 3 else Placement((path,), path),
    )
    made = monitor(batch(*((key(pid), counts(pid)) for pid in (1, 2, 3))))
    found = rows_by(made.rows((pivot,)), pivot)
    assert {name: row.totals.tx_bytes for name, row in found.items()} == {CONTAINER: 3, None: 3}
    (row,) = made.rows(("cgroup",)).rows
    assert (row.cgroup, getattr(row, pivot)) == (path, None)


def order_of(report: FlowReport) -> list[int | None]:
    return [row.pid for row in report.rows]


@pytest.mark.parametrize(
    ("sort", "pids"),
    [
        ("total", [3, 2, 1]),
        ("tx", [2, 3, 1]),
        ("rx", [3, 1, 2]),
        ("calls", [1, 3, 2]),
        ("connections", [2, 1, 3]),
        ("failed", [1, 2, 3]),
        ("retransmits", [3, 1, 2]),
        ("rtt", [2, 3, 1]),
        ("name", [1, 2, 3]),
    ],
)
def test_orders(sort: str, pids: list[int]) -> None:
    made = monitor(
        batch(
            (key(1), counts(1, 5, rx_calls=9, opened=2, retransmits=3, failed={0: 1, 5: 1})),
            (key(2), counts(9, 0, tx_calls=1, opened=3, rtt_sum=90, rtt_count=1, failed={2: 1})),
            (key(3), counts(2, 9, tx_calls=3, retransmits=4, rtt_sum=90, rtt_count=2)),
            owners=named(3, 2, 1),
        )
    )
    assert order_of(made.rows(("process",), sort)) == pids
    assert order_of(made.rows(("flow",), sort, reverse=True)) == pids[::-1]


def test_each_turn_has_the_same_weight() -> None:
    """The mean of two flows is not the mean of their means."""
    made = monitor(
        batch(
            (key(1, peer_port=1), counts(turns=9, latency_sum=9_000, latency_max=4_000)),
            (key(1, peer_port=2), counts(turns=1, latency_sum=91_000, latency_max=91_000)),
            (key(2), counts(turns=1, latency_sum=10_001, latency_max=10_001)),
            (key(3), counts(tx=1_000_000)),
        )
    )
    rows = rows_by(made.rows(("pid",), "latency"), "pid")
    assert list(rows) == [2, 1, 3]
    row = rows[1].totals
    assert (row.turns, row.latency_mean_us, row.latency_max_us) == (10, 10.0, 91.0)
    assert (rows[3].totals.turns, rows[3].totals.latency_mean_us) == (0, None)
    assert made.rows(("flow",), limit=0).totals.totals.latency_max_ns == 91_000


def test_who_waited_longest_before_comes_before_who_has_not_waited() -> None:
    made = monitor(
        batch(
            (key(1), counts(turns=1, latency_sum=5_000, latency_max=5_000)),
            (key(2), counts(turns=1, latency_sum=9_000, latency_max=9_000)),
        )
    )
    made.mark()
    batches_of(made).append(batch((key(2), counts(turns=1, latency_sum=1_000, latency_max=1_000))))
    made.tick()
    assert order_of(made.rows(("pid",), "latency")) == [1, 2]
    recent = rows_by(made.rows(("pid",)), "pid")[2].recent
    assert (recent.turns, recent.latency_max_us) == (1, 1.0)


def test_without_calls_there_are_no_turns() -> None:
    made = monitor(batch((key(1), counts(5))))
    made._session.counts_calls = False
    report = made.rows(("flow",), "latency")
    assert report.rows[0].totals.turns is report.totals.recent.turns is None


def test_two_ends_within_one_address_are_two_peers() -> None:
    """Each byte is in a row once."""
    made = monitor(
        batch(
            (key(1, "127.0.0.1", "127.0.0.2", peer_port=80), counts(5, 7)),
            (key(2, "127.0.0.1", "127.0.0.1", local_port=80, role=SERVER), counts(7, 5)),
            (key(1, "::1", "::1", peer_port=80), counts(50, 70)),
            (key(2, "::1", "::1", local_port=80, role=SERVER), counts(70, 50)),
            (key(1, "10.0.0.9", "10.0.0.1", peer_port=80), counts(1)),
            (key(2, "10.0.0.9", "10.0.0.1", local_port=80, role=SERVER), counts(2)),
        )
    )
    rows = {(row.peer_address, row.role): row.totals.tx_bytes for row in made.rows(("peer",)).rows}
    assert rows == {
        ("127.0.0.1", "client"): 5,
        ("127.0.0.1", "server"): 7,
        ("::1", "client"): 50,
        ("::1", "server"): 70,
        ("10.0.0.9", None): 3,
    }


def test_who_is_at_the_other_end() -> None:
    made = monitor(
        batch(
            (key(1, "10.0.0.2", peer_port=80), counts(1)),
            (key(2, "10.0.0.1", "10.0.0.2", local_port=80, role=SERVER), counts(2)),
            (key(3, "10.0.0.2", peer_port=80), counts(3)),
            (key(4, "10.0.0.9"), counts(4)),
            owners=named(1, 2, 3, 4),
        )
    )
    keys, pairs = np.zeros(2, PAIR_KEY), np.zeros(2, PAIR)
    keys["client_address"] = np.frombuffer(packed("10.0.0.1"), np.uint8)
    keys["server_address"] = np.frombuffer(packed("10.0.0.2"), np.uint8)
    keys["server_port"], keys["family"] = 80, lib.FAMILY_IPV4
    pairs["client"], pairs["server"] = [7 << 32 | 1, 7 << 32 | 3], 7 << 32 | 2
    made._session.pairs = lambda: (keys, pairs)  # type: ignore[method-assign]
    rows = rows_by(made.rows(("flow",)), "pid")
    assert [(rows[pid].peer_pid, rows[pid].peer_comm) for pid in (1, 3)] == [(2, "name-2")] * 2
    assert (rows[2].peer_pid, rows[2].peer_comm, rows[2].has_peers) == (None, None, True)
    assert (rows[4].peer_pid, rows[4].has_peers) == (None, False)


def test_the_flows_of_a_row(redis: Monitor) -> None:
    def opened(by: str, name: str, value: object, *outer: Within) -> tuple[Within, ...]:
        row = rows_by(redis.rows((by,), within=outer), name)[value]
        return (*outer, Within((by,), row.anchor))

    process = opened("process", "pid", 1)
    report = redis.rows(("flow",), within=process)
    assert {row.peer_address for row in report.rows} == {"10.0.0.2", "10.0.0.3"}
    assert report.totals.totals.tx_bytes == 110
    both = opened("peer", "peer_address", "10.0.0.3", *process)
    (row,) = redis.rows(("flow",), within=both).rows
    assert (row.pid, row.totals.tx_bytes) == (1, 10)
    assert redis.rows(("pid",), within=process, anchor=process[0].anchor).place == 0
    assert redis.rows(("pid",), within=process, anchor=bytes(FLOW_KEY.itemsize)).place is None
    gone = Within(("process",), bytes(FLOW_KEY.itemsize))
    assert len(redis.rows(("flow",), within=(gone,)).rows) == 0


def at(made: Monitor, seconds: float, *flows: tuple[Any, Any]) -> None:
    """Take flows, and let so many seconds have passed since the start."""
    batches_of(made).append(batch(*flows))
    made.tick()
    made._now = made._start + seconds


def test_what_grew_and_shrank_since_a_mark() -> None:
    made = monitor()
    grown, shrunk, gone, new, slow = (key(pid) for pid in range(1, 6))
    before = counts(tx=100, turns=1, latency_sum=10)
    at(made, 10.0, (grown, counts(tx=100)), (shrunk, counts(rx=100)), (gone, counts(1)))
    at(made, 10.0, (slow, before))
    made.set_baseline()
    since = counts(tx=50, turns=2, latency_sum=60)
    at(made, 15.0, (grown, counts(tx=100)), (shrunk, counts(rx=25)), (new, counts(9)))
    at(made, 15.0, (slow, since))
    found = {pid: row.change for pid, row in rows_by(made.rows(("pid",)), "pid").items()}
    assert found == {1: 2.0, 2: 0.5, 3: 0.0, 4: math.inf, 5: 1.0}
    rows = rows_by(made.rows(("pid",), "latency"), "pid")
    assert (rows[5].change, rows[1].change) == (3.0, None)
    assert made.rows(("family",), "tx").rows[0].change == pytest.approx(159 / 5 / (201 / 10))
    assert made.rows(("pid",)).since_mark_s == 5.0
    made.set_baseline()  # from the last mark on
    at(made, 20.0, (grown, counts(tx=300)))
    assert rows_by(made.rows(("pid",)), "pid")[1].change == 3.0
    made.clear_baseline()
    assert made.rows(("pid",)).since_mark_s is made.rows(("pid",)).rows[0].change is None


def test_command_lines_of_processes_that_live() -> None:
    start = start_time(os.getpid()) & 0xFFFFFFFF
    made = monitor(
        batch((key(os.getpid(), start=start), counts(1)), (key(os.getpid(), start=3), counts(1)))
    )
    assert {row.command for row in made.rows(("flow",)).rows} == {None}
    made.commands = True
    program, *arguments = Path("/proc/self/cmdline").read_text().rstrip("\0").split("\0")
    mine = " ".join([Path(program).name, *arguments])[:256]
    assert [row.command for row in made.rows(("flow",)).rows] == [mine, None]


def test_order_by_age() -> None:
    made = monitor(
        batch((key(2), counts(1))),
        batch((key(1), counts(9))),
        batch((key(3), counts(5)), (key(2), counts(1))),
    )
    assert order_of(made.rows(("process",), "age")) == [2, 1, 3]
    ages = [row.age_s for row in made.rows(("process",), "age").rows]
    assert ages == sorted(ages, reverse=True) and ages[-1] == 0.0


def test_recent_counts_come_before_those_since_the_start() -> None:
    made = monitor(batch((key(1), counts(1000)), (key(2), counts(2)), (key(3), counts(3))))
    batches_of(made).append(batch((key(2), counts(1))))
    made.mark()
    made.tick()
    report = made.rows(("process",))
    assert order_of(report) == [2, 1, 3]
    assert [row.recent.tx_bytes for row in report.rows] == [1, 0, 0]
    assert [row.totals.tx_bytes for row in report.rows] == [3, 1000, 3]


def test_limit_hides_and_totals_do_not() -> None:
    flows = ((key(pid), counts(pid)) for pid in range(1, 11))
    made = monitor(batch(*flows, other=counts(1000, 7)))
    report = made.rows(("process",), limit=3)
    assert [(row.pid, row.is_other) for row in report.rows] == [
        *((pid, False) for pid in (10, 9, 8)),
        (None, True),
    ]
    assert report.hidden == 7
    assert report.totals.totals.tx_bytes == 55 + 1000
    assert (report.totals.flows, report.totals.is_other) == (10, False)
    assert report.rows[-1].totals.rx_bytes == report.rows[3].totals.rx_bytes == 7
    assert [row.pid for row in report.rows[1:3]] == [9, 8]
    with pytest.raises(IndexError):
        report.rows[4]
    assert made.rows(("process",), limit=100).hidden == 0


def test_many_rows_are_made_in_order() -> None:
    made = monitor(batch(*((key(pid), counts(5000 - pid)) for pid in range(1, 1001))))
    report = made.rows(("process",))
    assert order_of(report) == [*range(1, 1001)] == [row.pid for row in report.rows]
    assert len(report.rows) == 1000


def test_only_rows_on_which_something_happened() -> None:
    made = monitor(
        batch((key(1), counts(1)), (key(2), counts(2)), other=counts(3)),
        batch((key(3), counts(0, 0, rtt_sum=5, rtt_count=1))),
    )
    batches_of(made).append(batch((key(1), counts(0, 0, failed={1: 1}))))
    made.mark()
    made.tick()
    report = made.rows(("process",), active=True)
    assert [(row.pid, row.recent.failed_connects) for row in report.rows] == [(1, 1)]
    assert (report.hidden, report.totals.totals.tx_bytes, report.totals.flows) == (0, 6, 3)
    assert len(made.rows(("process",)).rows) == 4


def test_window_lasts_until_the_tick_after_its_end() -> None:
    made = monitor(batch((key(1), counts(1))), batch((key(1), counts(10))))
    made.mark()
    before = made.rows(("process",))
    assert before.rows[0].recent.tx_bytes == 11
    assert made.rows(("process",)).interval_s == before.interval_s
    batches_of(made).append(batch((key(1), counts(100)), other=counts(4)))
    made.tick()
    after = made.rows(("process",))
    assert [row.recent.tx_bytes for row in after.rows] == [100, 4]
    assert after.totals.recent.tx_bytes == 104
    assert 0 < after.interval_s <= after.elapsed_s - before.interval_s
    made.tick()
    assert made.rows(("process",)).rows[0].recent.tx_bytes == 100


def test_round_trips_are_the_intervals_if_there_are_any() -> None:
    made = monitor(batch((key(1), counts(1, rtt_sum=100, rtt_count=1))))
    made.mark()
    made.tick()
    assert made.rows(("process",)).rows[0].rtt_us == 100.0
    batches_of(made).append(batch((key(1), counts(0, rtt_sum=600, rtt_count=2))))
    made.tick()
    assert made.rows(("process",)).rows[0].rtt_us == 300.0
    assert made.rows(("process",)).totals.rtt_us == 300.0


def test_nothing_at_all() -> None:
    made = monitor()
    for by in PIVOTS:
        for sort in SORTS:
            report = made.rows((by,), sort, limit=5, text="x", active=True)
            assert (list(report.rows), report.hidden) == ([], 0)
    assert (report.totals.flows, report.totals.totals.tx_bytes, report.totals.age_s) == (0, 0, 0)


def test_filter_keeps_others_out_but_not_what_cannot_be_told_apart() -> None:
    made = monitor(
        batch((key(1), counts(1)), (key(2), counts(2)), other=counts(9)),
        filter=FlowFilter(pids=(2,)),
    )
    report = made.rows(("process",))
    assert [(row.pid, row.totals.tx_bytes) for row in report.rows] == [(2, 2), (None, 9)]
    assert (report.totals.totals.tx_bytes, report.totals.flows) == (11, 1)


@pytest.mark.parametrize(
    ("text", "pids"),
    [
        ("NAME-1", [1]),
        ("name", [1, 3, 2]),
        ("10.0.0.3", [1]),
        ("0.3", [1]),
        ("6379", [1, 3, 2]),
        ("637", [1, 3, 2]),
        ("nothing", []),
        ("coffee", []),
    ],
)
def test_text_that_is_typed(redis: Monitor, text: str, pids: list[int]) -> None:
    for _ in range(2):
        report = redis.rows(("process",), text=text)
        assert order_of(report) == pids
        assert report.totals.totals.tx_bytes == sum(row.totals.tx_bytes for row in report.rows)


def test_text_sees_flows_that_come_later_and_those_that_stay() -> None:
    made = monitor(batch((key(1, peer="10.7.7.1"), counts(1)), (key(2), counts(2))))
    made._table = FlowTable(0.0, max_rows=4)
    for pid, peer in ((3, "10.7.7.3"), (4, "10.0.0.4"), (5, "10.0.0.5"), (6, "10.7.7.6")):
        batches_of(made).append(batch((key(pid, peer=peer), counts(pid))))
        made.tick()
        made.rows(("process",), text="10.7.7")
    assert order_of(made.rows(("process",), text="10.7.7")) == [6, 3]
    batches_of(made).append(batch((key(7, peer="10.7.7.7"), counts(7))))
    made.tick()
    assert order_of(made.rows(("process",), text="10.7.7")) == [7, 6, None]
    assert order_of(made.rows(("process",), text="7.7.7")) == [7, None]


def peer_names(made: Monitor) -> dict[str | None, str | None]:
    return {row.peer_address: row.peer_name for row in made.rows(("peer",)).rows}


def test_names_of_peers(redis: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebprof.traffic.names.look_up", lambda address: f"host-{address}")
    assert set(peer_names(redis).values()) == {None}
    redis.names = True
    hosts = {f"10.0.0.{host}" for host in (1, 2, 3)}
    deadline = time.monotonic() + 10
    while peer_names(redis) != {host: f"host-{host}" for host in hosts}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    redis.names = False
    assert set(peer_names(redis).values()) == {None}


def test_history_of_rows_and_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    session: Any = FakeSession()
    made = Monitor(session, "fake", NOTHING)
    for moved in (1024, 2048, 4096):
        now[0] += 1.0
        session.batches.append(batch((key(1), counts(moved)), other=counts(0, 512)))
        made.tick()
    report = made.rows(("process",))
    assert [row.history for row in report.rows] == [(1024.0, 2048.0, 4096.0), (512.0,) * 3]
    assert report.totals.history == (1536.0, 2560.0, 4608.0)
    assert (report.interval_s, report.elapsed_s) == (3.0, 3.0)
    assert [row.age_s for row in report.rows] == [2.0, 3.0]


def test_counters_and_overhead() -> None:
    made = monitor(batch((key(1), counts(1))))
    assert made.counters() == {
        "overflowed": 3,
        "evicted": 0,
        "readers_failed": 0,
        "nat_late": 0,
        "nat_full": 0,
    }
    assert {counter.name for counter in COUNTERS} > {"overflowed", "evicted"}
    assert all(counter.help for counter in COUNTERS)
    assert made.overhead() == (5, 0.5)


def test_session_is_started_and_closed() -> None:
    session: Any = FakeSession()
    with Monitor(session, "fake", NOTHING) as made:
        assert (session.is_started, made.backend) == (True, "fake")
    assert session.is_closed


def test_session_that_cannot_start_is_closed() -> None:
    class Broken(FakeSession):
        def start(self) -> None:
            raise KeyboardInterrupt

    session: Any = Broken()
    with pytest.raises(KeyboardInterrupt), Monitor(session, "fake", NOTHING):
        pass
    assert session.is_closed


def test_bad_target_is_found_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "open_session", lambda *_: pytest.fail("loaded"))
    with pytest.raises(NoTargetError):
        Monitor.open(None, FlowFilter(cgroup="no-such-cgroup"))


def test_processes_without_flows_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebprof.traffic.monitor._MAX_PROCESSES", 50)
    made = monitor(filter=FlowFilter(destination=parse_endpoint(":80")))
    for pid in range(1, 1001):
        flow = key(pid, peer_port=80 if pid % 100 == 0 else 81)
        batches_of(made).append(batch((flow, counts(pid)), owners=named(pid)))
        made.tick()
        assert len(made._processes) <= 50
    found = rows_by(made.rows(("process",)), "pid")
    assert {(pid, row.comm) for pid, row in found.items()} == {
        (pid, f"name-{pid}") for pid in range(100, 1001, 100)
    }


@pytest.mark.parametrize("text", ["", "peers", "peer,", "peer,x", "Peer", "peer port"])
def test_unknown_pivots_are_answered_with_the_known(text: str) -> None:
    with pytest.raises(UsageError, match="cannot put flows together by") as raised:
        parse_pivots(text)
    assert all(name in raised.value.hint for name in PIVOTS)


def test_known_pivots_and_orders() -> None:
    assert parse_pivots("peer,port,peer") == ("peer", "port")
    assert [check_sort(name) for name in SORTS] == [*SORTS]
    with pytest.raises(UsageError, match="cannot sort by 'bytes'") as raised:
        check_sort("bytes")
    assert all(name in raised.value.hint for name in SORTS)
