"""What is written is in the database once, and rollups are sums of it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from ebprof.collector.retention import DAY_MS, Retention
from ebprof.collector.store.wire import Failure
from ebprof.model import SampleType
from tests import builders, collector_extra, pushes
from tests.stored import Sql, store

collector_extra.need()
DAY_NS = 24 * 3600 * 10**9
NOON = (time.time_ns() // DAY_NS - 2) * DAY_NS + DAY_NS // 2


def test_segments_are_written_once_and_rolled_up(tmp_path: Path) -> None:
    profiles = [
        pushes.pprof_bytes(time_ns=NOON + offset * 10**9) for offset in (0, 10, 3600, 24 * 3600)
    ]
    first = pushes.push(*profiles, labels={"service_name": "a", "pod": "x", "__name__": "cpu"})
    pushes.add_series(first, profiles[0], labels={"service_name": "a", "pod": "y"})
    types = (SampleType("alloc_space", "bytes"), SampleType("custom", "things"))
    heap = builders.profile(
        builders.stack("main;f", 7, values=(100, 7)), time_ns=NOON, sample_types=types, shown=1
    )
    second = pushes.push(pushes.pprof_bytes(heap), labels={})
    segment = tmp_path / "segment"
    with store(tmp_path) as one:
        written = one.write(segment, first, second, number=5)
        assert (written.samples, written.pushes, written.unreadable) == (7, 2, 0)
        one.write(segment, first, second, number=5)
    with store(tmp_path) as one:
        one.write(segment, first, second, number=5)
        assert one.rows("SELECT type, sum(value) FROM samples GROUP BY type ORDER BY type") == [
            ("cpu", 5 * 30_000_000),
            ("custom:things", 7),
            ("heap_alloc", 100),
        ]
        assert one.rows("SELECT count() FROM samples") == [(7,)]
        for table, expected in (("samples_1h", [90, 30, 30]), ("samples_1d", [120, 30])):
            sums = one.rows(
                f"SELECT ts, sum(value) FROM {table} WHERE type = 'cpu' GROUP BY ts ORDER BY ts"
            )
            assert [value // 1_000_000 for _, value in sums] == expected
        series = one.rows("SELECT labels FROM series FINAL WHERE service = 'a' ORDER BY labels")
        assert [dict(labels)["pod"] for (labels,) in series] == ["x", "x", "y"]
        assert one.rows("SELECT uniq(series_id), uniq(rollup_series_id) FROM series") == [(3, 2)]
        bad = one.request(Sql("SELECT match('', '(')"))
        assert isinstance(bad, Failure)
        assert bad.is_question
        broken = one.request(Sql("SELECT nonsense"))
        assert isinstance(broken, Failure)
        assert not broken.is_question


def test_what_is_too_old_is_dropped_and_retention_may_change(tmp_path: Path) -> None:
    profiles = [pushes.pprof_bytes(time_ns=NOON - days * DAY_NS) for days in (0, 4, 200, 500)]
    days = (("samples", 1), ("samples_1h", 2), ("samples_1d", 3))
    with store(tmp_path, Retention()) as one:
        one.write(tmp_path / "segment", *map(pushes.push, profiles))
        for table, expected in days:
            one.rows(f"OPTIMIZE TABLE {table} FINAL")
            assert one.rows(f"SELECT uniq(toDate(ts)) FROM {table}") == [(expected,)]
        assert one.rows("SELECT sum(is_done = 0) FROM system.mutations") == [(0,)]
    with store(tmp_path, replace(Retention(), hour_ms=3 * DAY_MS)) as one:
        one.rows("OPTIMIZE TABLE samples_1h FINAL")
        assert one.rows("SELECT uniq(toDate(ts)) FROM samples_1h") == [(1,)]


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    with store(tmp_path) as one:
        one._connection.close()
        assert one.process.wait(10) == 0
