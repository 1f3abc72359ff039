"""Columns of flows: counts stay exact whatever is evicted; histories."""

from __future__ import annotations

import numpy as np
import pytest

from ebprof.abi import FLOW_COUNTS, FLOW_KEY
from ebprof.traffic.history import POINTS
from ebprof.traffic.table import FlowTable, count_columns, joined_groups, joined_rows
from tests.unit.traffic.batches import Array, counts, joined, key

TX, RX = count_columns("tx_bytes")[0], count_columns("rx_bytes")[0]


def add(table: FlowTable, *flows: tuple[Array, Array], now: float = 0.0) -> None:
    keys = joined((flow for flow, _ in flows), FLOW_KEY)
    deltas = joined((count for _, count in flows), FLOW_COUNTS)
    table.add(keys, deltas, keys["process"]["number"].astype(np.int32), now)


def test_columns_of_counts() -> None:
    assert [count_columns(name)[0] for name in ("tx_bytes", "rx_bytes", "opened")] == [0, 1, 4]
    assert count_columns("failed") == range(9, 15)


def test_counts_add_up_by_flow_and_window() -> None:
    table = FlowTable(0.0)
    add(table, (key(1), counts(10, 1)), (key(2), counts(20, 2)))
    table.begin_window()
    add(table, (key(2), counts(5, 5, failed={0: 1, 3: 2})))
    assert table.keys["process"]["number"].tolist() == [1, 2] == table.process.tolist()
    assert table.totals[:, TX].tolist() == [10, 25]
    assert table.recent[:, [TX, RX]].tolist() == [[0, 0], [5, 5]]
    assert table.totals[1, 9:].tolist() == [1, 0, 0, 2, 0, 0, 0, 0, 0]


def test_of_the_longest_turns_the_longest_counts() -> None:
    table = FlowTable(0.0, max_rows=2)
    turns, longest = count_columns("turns")[0], count_columns("latency_max")[0]
    add(table, (key(1), counts(turns=2, latency_sum=9, latency_max=7)))
    table.begin_window()
    add(table, (key(1), counts(turns=1, latency_sum=3, latency_max=3)))
    assert table.totals[0, turns:].tolist() == [3, 12, 7]
    assert table.recent[0, turns:].tolist() == [1, 3, 3]
    add(table, *((key(pid), counts(turns=1, latency_max=pid)) for pid in range(2, 9)), now=1.0)
    table.add_other(counts(turns=1, latency_max=5))
    assert table.other_totals[turns] + table.totals[:, turns].sum() == 11
    assert max(table.other_totals[longest], *table.totals[:, longest]) == 8
    assert table.other_totals[longest] == 7
    assert joined_rows(table.totals)[longest] == 8
    groups = joined_groups(table.totals, np.array([0, 1]))
    assert groups[:, longest].tolist() == table.totals[:, longest].tolist()


def test_counts_beyond_what_a_float_holds_are_exact() -> None:
    table = FlowTable(0.0)
    for _ in range(2):
        add(table, (key(1), counts((1 << 60) + 1)))
    assert int(table.totals[0, TX]) == (1 << 61) + 2


def test_rows_that_are_added_later_begin_with_nothing() -> None:
    """Growth and reuse of rows."""
    table = FlowTable(0.0, max_rows=3000)
    add(table, *((key(pid), counts(1)) for pid in range(1, 2501)))
    assert table.totals[:, TX].tolist() == [1] * 2500
    add(table, *((key(pid), counts(2)) for pid in range(2501, 4001)), now=1.0)
    new = table.process > 2500
    assert (table.totals[new, TX] == 2).all() and new.sum() == 1500
    assert (table.totals[~new, TX] == 1).all()
    assert table.other_totals[TX] == table.evicted == 4000 - len(table)


def test_least_recently_used_go_to_other() -> None:
    table = FlowTable(0.0, max_rows=4)
    for pid in range(1, 5):
        add(table, (key(pid), counts(pid)), now=float(pid))
    add(table, (key(1), counts(100)), now=5.0)
    add(table, (key(9), counts(7)), now=6.0)
    assert sorted(table.process.tolist()) == [1, 3, 4, 9]
    assert (table.evicted, table.other_totals[TX]) == (1, 2)
    assert dict(zip(table.process.tolist(), table.totals[:, TX].tolist(), strict=True)) == {
        **{1: 101, 3: 3, 4: 4},
        9: 7,
    }
    assert table.first_seen[table.process == 1] == 1.0


def test_a_mark_stays_with_its_rows() -> None:
    """Rows are evicted, numbered anew and added."""
    table = FlowTable(0.0, max_rows=4)
    for pid in range(1, 5):
        add(table, (key(pid), counts(pid)), now=float(pid))
    table.set_mark()
    add(table, (key(1), counts(100)), now=5.0)
    add(table, (key(9), counts(7)), now=6.0)
    marked = dict(zip(table.process.tolist(), table.at_mark[:, TX].tolist(), strict=True))
    assert marked == {1: 1, 3: 3, 4: 4, 9: 0}
    assert table.before_mark[:, TX].tolist() == table.at_mark[:, TX].tolist()
    table.set_mark()
    before = dict(zip(table.process.tolist(), table.before_mark[:, TX].tolist(), strict=True))
    assert before == {1: 100, 3: 0, 4: 0, 9: 7}
    table.clear_mark()
    assert not table.is_marked and len(table.at_mark) == 0


def test_a_mark_when_the_table_grows() -> None:
    table = FlowTable(0.0)
    add(table, (key(1), counts(1)))
    table.set_mark()
    add(table, *((key(pid), counts(1)) for pid in range(2, 3000)))
    assert table.at_mark[:, TX].sum() == table.before_mark[:, TX].sum() == 1


def test_evicted_counts_stay_recent() -> None:
    table = FlowTable(0.0, max_rows=2)
    add(table, (key(1), counts(1)), (key(2), counts(2)))
    table.begin_window()
    add(table, (key(1), counts(10)), (key(2), counts(20)))
    add(table, (key(3), counts(30)), (key(4), counts(40)), now=1.0)
    assert table.other_recent[TX] + table.recent[:, TX].sum() == 100
    assert table.other_totals[TX] + table.totals[:, TX].sum() == 103
    table.begin_window()
    assert table.other_recent[TX] == 0


def test_flow_of_the_batch_that_needs_room_is_not_evicted() -> None:
    table = FlowTable(0.0, max_rows=4)
    add(table, *((key(pid), counts(1)) for pid in range(1, 5)))
    add(table, (key(1), counts(1)), (key(5), counts(1)), now=1.0)
    assert table.totals[table.process == 1, TX].tolist() == [2]


@pytest.mark.parametrize("max_rows", [1, 2, 5])
def test_batch_larger_than_the_table(max_rows: int) -> None:
    table = FlowTable(0.0, max_rows=max_rows)
    for _ in range(3):
        add(table, *((key(pid), counts(1, 2)) for pid in range(1, 51)))
        assert len(table) <= max_rows
    assert table.other_totals[TX] + table.totals[:, TX].sum() == 150
    assert table.other_totals[RX] + table.totals[:, RX].sum() == 300


def history_of(table: FlowTable, row: int) -> list[float]:
    return table.history.sums(np.array([row]), np.array([0]))[0].tolist()


def test_history_is_a_rate_a_second() -> None:
    table = FlowTable(0.0)
    add(table, (key(1), counts(1000, 24)))
    table.history.advance(0.5, 1)
    assert history_of(table, 0) == []
    add(table, (key(1), counts(1024)))
    table.history.advance(1.0, 1)
    table.history.advance(2.0, 1)
    assert history_of(table, 0) == [2048.0, 0.0]


def test_history_of_a_gap_and_of_a_late_tick() -> None:
    table = FlowTable(0.0)
    add(table, (key(1), counts(4096)))
    table.history.advance(4.0, 1)
    add(table, (key(1), counts(5120)))
    table.history.advance(5.25, 1)
    assert history_of(table, 0) == [1024.0] * 4 + [4096.0]


def test_history_is_a_minute_long_and_precise_enough() -> None:
    table = FlowTable(0.0)
    rates = [3.0**number for number in range(4, 23)] * 5
    for second, rate in enumerate(rates):
        add(table, (key(1), counts(int(rate))))
        table.history.advance(second + 1.0, 1)
    assert history_of(table, 0) == pytest.approx(rates[-POINTS:], rel=0.01)
    add(table, (key(1), counts(1 << 60)))
    table.history.advance(len(rates) + 1.0, 1)
    assert history_of(table, 0)[-1] == pytest.approx(68.7e9, rel=0.01)
    table.history.advance(len(rates) + 1000.0, 1)
    assert len(history_of(table, 0)) == POINTS
    assert max(history_of(table, 0)) < 2**60 / 900


def test_history_of_evicted_flows_is_others() -> None:
    table = FlowTable(0.0, max_rows=2)
    add(table, (key(1), counts(1024)), (key(2), counts(2048)))
    table.history.advance(1.0, 2)
    add(table, (key(2), counts(4096)), now=1.5)
    add(table, (key(3), counts(8192)), now=1.5)
    table.history.advance(2.0, 2)
    assert sorted(table.process.tolist()) == [2, 3]
    by_process = {int(table.process[row]): history_of(table, row) for row in range(2)}
    assert by_process == {2: [2048.0, 4096.0], 3: [0.0, 8192.0]}
    assert table.history.other().tolist() == [1024.0, 0.0]


def test_history_of_what_moved_before_the_eviction_but_in_the_same_second() -> None:
    table = FlowTable(0.0, max_rows=2)
    add(table, (key(1), counts(1024)), (key(2), counts(2048)), now=0.1)
    add(table, (key(3), counts(4096)), (key(4), counts(8192)), now=0.2)
    table.history.advance(1.0, 2)
    shown = table.history.sum(np.arange(2)).tolist()
    assert (table.history.other().tolist(), shown) == ([3072.0], [12288.0])


def test_history_of_groups_and_of_all() -> None:
    table = FlowTable(0.0)
    add(table, *((key(pid), counts(1024 * pid)) for pid in (1, 2, 3)))
    table.history.advance(1.0, 3)
    table.history.advance(2.0, 3)
    grouped = table.history.sums(np.array([2, 0, 1]), np.array([0, 1]))
    assert grouped.tolist() == [[3072.0, 0.0], [3072.0, 0.0]]
    assert table.history.sum(np.array([0, 1])).tolist() == [3072.0, 0.0]
    assert table.history.sums(np.zeros(0, int), np.zeros(0, int)).shape == (0, 2)


def test_history_of_many_rows_is_that_of_few() -> None:
    table = FlowTable(0.0)
    add(table, *((key(pid), counts(1024)) for pid in range(1, 10_001)))
    table.history.advance(1.0, len(table))
    for second in range(2, 62):
        table.history.advance(float(second), len(table))
    (together,) = table.history.sums(np.arange(10_000), np.array([0])).tolist()
    assert together == [0.0] * POINTS
    add(table, *((key(pid), counts(1024)) for pid in range(1, 10_001)))
    table.history.advance(62.0, len(table))
    (together,) = table.history.sums(np.arange(10_000), np.array([0])).tolist()
    assert together == [0.0] * (POINTS - 1) + [10_240_000.0]
