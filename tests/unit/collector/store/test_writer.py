"""A segment as inserts: each row once, and what cannot be read costs itself only."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa

from ebprof.collector.profiles.batch import Batch
from ebprof.collector.receive import records
from ebprof.collector.store import segments, tables
from ebprof.collector.store.hashes import Hasher
from ebprof.collector.store.journal import Journal
from ebprof.collector.store.question import StoreError
from ebprof.collector.store.rows import Known, Rows, Sent, rows_of
from ebprof.collector.store.writer import Writer
from ebprof.wire.flows import encode
from tests import flow_windows, pushes

NOW = 1_790_000_000 * 10**9
DAY_NS = 24 * 3600 * 10**9
HASHER = Hasher(b"key")


class Database:
    """Keeps what is inserted; numbers blocks as ClickHouse does.

    fails: the insert that raises; is_late: after it was done.
    """

    def __init__(self) -> None:
        self.inserted: list[tuple[str, int]] = []
        self.fails, self.is_late = -1, False
        self._blocks: dict[str, dict[str, int]] = {}

    def insert(self, table: str, rows: Any, token: str = "") -> None:
        self.fails -= 1
        if self.fails == 0 and not self.is_late:
            raise StoreError("no")
        self.inserted.append((table, len(rows)))
        if not table.startswith(("samples", "flows")):
            return
        known = self._blocks.setdefault(table, {})
        for partition in sorted(set(tables.partitions(table, rows).to_pylist())):
            known[partition] = max(known.values(), default=0) + 1
        if self.fails == 0:
            raise StoreError("it is there all the same")

    def tidy(self) -> int:
        return 0

    def blocks(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        return {name: dict(self._blocks[name]) for name in names if name in self._blocks}

    def of(self, table: str) -> list[int]:
        return [rows for name, rows in self.inserted if name == table]


def segment(path: Path, *messages: Any, tail: bytes = b"") -> Path:
    framed = (records.frame(records.Record(10**18, one.SerializeToString())) for one in messages)
    path.write_bytes(b"".join(framed) + tail)
    return path


def pushed_flows(**fields: Any) -> Any:
    """A record of one flow."""
    found = flow_windows.window(flow_windows.flow(flow_windows.Process("a"), tx=1), **fields)
    return records.of_flows(NOW, encode(found)).message()


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("fails", range(1, 20))
def test_a_segment_is_written_once_wherever_it_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int, is_late: bool
) -> None:
    size = len(gzip.decompress(pushes.pprof_bytes()))
    monkeypatch.setattr(segments, "PART_BYTES", 2 * size)
    times = [NOW, NOW, NOW - DAY_NS, NOW, NOW - 40 * DAY_NS]
    messages = [pushes.push(pushes.pprof_bytes(time_ns=time)) for time in times]
    path = segment(tmp_path / "s", *messages)
    database, journal = Database(), tmp_path / "journal"
    Writer(database, Journal(journal), HASHER).write(6, segment(tmp_path / "before", messages[0]))
    database.fails, database.is_late = fails, is_late
    with contextlib.suppress(StoreError):
        Writer(database, Journal(journal), HASHER).write(7, path)
    database.fails = -1
    written = Writer(database, Journal(journal), HASHER).write(7, path)
    assert written.samples == 5
    assert sum(database.of("samples")) == 1 + 5
    assert sum(database.of("samples_1h")) == sum(database.of("samples_1d")) == 1 + 4


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("fails", range(1, 20))
def test_flows_are_written_once_wherever_a_segment_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int, is_late: bool
) -> None:
    times = [NOW, NOW, NOW - DAY_NS, NOW, NOW - 40 * DAY_NS]
    messages = [pushed_flows(at_ns=time) for time in times]
    monkeypatch.setattr(segments, "PART_BYTES", messages[0].flows.ByteSize() + 1)
    messages.append(pushes.push(pushes.pprof_bytes(time_ns=NOW)))
    database, journal = Database(), tmp_path / "journal"
    Writer(database, Journal(journal), HASHER).write(6, segment(tmp_path / "before", messages[0]))
    path = segment(tmp_path / "s", *messages)
    database.fails, database.is_late = fails, is_late
    with contextlib.suppress(StoreError):
        Writer(database, Journal(journal), HASHER).write(7, path)
    database.fails = -1
    written = Writer(database, Journal(journal), HASHER).write(7, path)
    assert (written.samples, written.flows) == (1, 5)
    assert sum(database.of("flows")) == 1 + 5
    assert sum(database.of("samples")) == 1
    # Two of the five are of one part, one hour and one flow.
    assert sum(database.of("flows_1h")) == 1 + 4


@pytest.mark.usefixtures("walls_hold")
def test_flows_that_cannot_be_read_cost_themselves_only(tmp_path: Path) -> None:
    bad = pushed_flows()
    bad.flows.flows.port = b"x"
    path = segment(tmp_path / "s", bad, pushed_flows())
    written = Writer(Database(), Journal(tmp_path / "journal"), HASHER).write(1, path)
    assert (written.flows, written.unreadable) == (1, 1)


def test_partitions_are_named_as_clickhouse_does() -> None:
    rows = pa.table({"ts": pa.array([NOW // 10**9], pa.timestamp("s", "UTC"))})
    names = ("samples", "samples_1h", "samples_1d", "flows", "flows_1h")
    found = [tables.partitions(name, rows).to_pylist() for name in names]
    assert found == [["2026-09-21"], ["2026-09-21"], ["202609"], ["2026-09-21"], ["2026-09-21"]]


def test_series_stacks_and_frames_come_first_and_once_a_day(tmp_path: Path) -> None:
    path = segment(tmp_path / "s", pushes.push(pushes.pprof_bytes()))
    days = [date(2026, 1, 1)]
    database = Database()
    writer = Writer(database, Journal(tmp_path / "journal"), HASHER, lambda: days[-1])
    writer.write(1, path)
    names = [name for name, _ in database.inserted]
    summed = ["samples", "samples_1h", "services_1h", "samples_1d", "services_1d", "totals_1h"]
    assert names == ["frames", "stacks", "series", *summed]
    writer.write(2, path)
    assert (
        len(database.of("stacks")) == len(database.of("frames")) == len(database.of("series")) == 1
    )
    days.append(days[0] + timedelta(1))
    writer.write(3, path)
    assert len(database.of("stacks")) == 2


@pytest.mark.usefixtures("walls_hold")
def test_what_cannot_be_read_costs_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = pushes.push(b"no profile", pushes.pprof_bytes())
    bomb = pushes.push(pushes.pprof_bytes(), labels={"service_name": "bomb"})

    def fail(batch: Batch, sent: list[Sent], known: Known) -> Rows:
        if any(one.service == "bomb" for one in sent):
            raise OverflowError("a fault")
        return rows_of(batch, sent, known)

    monkeypatch.setattr(segments, "rows_of", fail)
    path = segment(tmp_path / "s", bad, bomb, pushes.push(pushes.pprof_bytes()), tail=b"torn")
    written = Writer(Database(), Journal(tmp_path / "journal"), HASHER).write(1, path)
    assert (written.samples, written.pushes) == (2, 3)
    assert (written.unreadable, written.damaged_bytes) == (2, 4)
