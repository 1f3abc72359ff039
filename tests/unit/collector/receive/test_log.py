"""What is acknowledged is in the log, once, whatever happens."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.receive import records
from ebprof.collector.receive.ids import MERGED, SeenIds, key_of
from ebprof.collector.receive.intake import Intake
from ebprof.collector.receive.log import LogOptions, PushLog
from ebprof.collector.receive.push import Push
from ebprof.collector.receive.records import Record
from ebprof.collector.receive.refusals import BrokenError, FullError
from ebprof.wire.push import PushRequest
from tests import pushes

SOON = LogOptions(seal_s=0.05)
LATE = LogOptions(seal_s=1000)


@contextmanager
def opened(path: Path, options: LogOptions = LATE) -> Iterator[PushLog]:
    log = PushLog(path / "log", SeenIds(path / "ids"), options)
    yield log
    log.close()


def kept(path: Path) -> list[Record]:
    """All records in segments, oldest first."""
    return [
        record
        for segment in sorted((path / "log").iterdir())
        for record in records.split(segment.read_bytes())
    ]


def record(text: bytes) -> Record:
    return Record(time.time_ns(), text)


def message(*ids: str) -> Any:
    return pushes.push(*[b"x"] * len(ids), ids=list(ids))


def accept(intake: Intake, *ids: str) -> int:
    """Have a push written; how many of its profiles were there already."""
    accepted = intake.accept(Push(message(*ids), len(ids), 0), time.time_ns())
    for future in accepted.futures:
        future.result(10)
    return accepted.duplicates


def ids_in(path: Path) -> list[str]:
    found = []
    for one in kept(path):
        request = PushRequest.FromString(one.body)
        found += [sample.ID for series in request.series for sample in series.samples]
    return found


def wait_until_sealed(log: PushLog, count: int = 1) -> None:
    end = time.monotonic() + 10
    while len(log.sealed()) != count and time.monotonic() < end:
        time.sleep(0.01)
    assert len(log.sealed()) == count


def test_what_is_acknowledged_can_be_read_back(tmp_path: Path) -> None:
    wanted = [record(b"%d" % number) for number in range(20)]
    with opened(tmp_path) as log:
        for future in [log.append(one, []) for one in wanted]:
            future.result(10)
        assert kept(tmp_path) == wanted
        assert log.size == sum(len(records.frame(one)) for one in wanted)
    assert kept(tmp_path) == wanted


def test_pushes_share_an_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(descriptor: int) -> None:
        entered.set()
        assert leave.wait(10)

    monkeypatch.setattr(os, "fdatasync", slow)
    with opened(tmp_path) as log:
        futures = [log.append(record(b"first"), [])]
        assert entered.wait(10)
        futures += [log.append(record(b"x"), []) for _ in range(50)]
        assert not any(future.done() for future in futures)
        leave.set()
        for future in futures:
            future.result(10)
        assert log.statistics.commits == 2
        assert log.statistics.records == 51


@pytest.mark.parametrize("damage", ["cut", "garbage", "flipped"])
def test_a_torn_tail_is_cut_off(tmp_path: Path, damage: str) -> None:
    (tmp_path / "log").mkdir()
    whole = records.frame(record(message("a").SerializeToString()))
    torn = records.frame(record(message("b").SerializeToString()))
    tail = {"cut": torn[:-1], "garbage": b"\xff" * 50, "flipped": torn[:-1] + b"\0"}[damage]
    (tmp_path / "log" / "0000000000000007.open").write_bytes(whole + tail)
    with opened(tmp_path) as log:
        (segment,) = log.sealed()
        assert segment.number == 7
        assert log.statistics.cut_bytes == len(tail)
        assert ids_in(tmp_path) == ["a"]
        assert accept(Intake(log), "a", "b") == 1


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_records_end_where_the_bytes_do(length: int) -> None:
    data = records.frame(Record(1, b"a")) + records.frame(Record(2, b"b" * 30))
    found = list(records.split(data[:length]))
    assert len(found) == (length >= 17) + (length >= len(data))
    assert records.whole_length(data[:length]) == (17 if 17 <= length < len(data) else 0)


def test_an_empty_segment_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "0000000000000007.open").write_bytes(b"\1")
    with opened(tmp_path) as log:
        assert log.sealed() == []
    assert list((tmp_path / "log").iterdir()) == []


def test_what_comes_while_segments_wait_is_one_segment(tmp_path: Path) -> None:
    """It is sealed by size, or once there is room: a store that is behind likes large ones."""
    with opened(tmp_path, replace(SOON, seal_bytes=5_000)) as log:
        for count in (1, 2):
            log.append(record(b"x"), []).result(10)
            wait_until_sealed(log, count)
        for text in (b"y", b"z"):
            log.append(record(text), []).result(10)
        time.sleep(5 * SOON.seal_s)
        first, _ = log.sealed()
        log.remove(first)
        wait_until_sealed(log, 2)
        data = log.sealed()[1].path.read_bytes()
        assert [one.body for one in records.split(data)] == [b"y", b"z"]
        log.append(record(b"l" * 5_000), []).result(10)
        wait_until_sealed(log, 3)


def test_segments_are_sealed_in_time_and_by_size_and_have_new_numbers(tmp_path: Path) -> None:
    with opened(tmp_path, SOON) as log:
        log.append(record(b"a"), []).result(10)
        wait_until_sealed(log)
        (first,) = log.sealed()
        log.remove(first)
        assert log.sealed() == []
        assert log.size == 0
    with opened(tmp_path, LogOptions(seal_s=1000, seal_bytes=1)) as log:
        log.append(record(b"b"), []).result(10)
        wait_until_sealed(log)
        assert log.sealed()[0].number > first.number


def test_a_full_log_refuses(tmp_path: Path) -> None:
    with opened(tmp_path, LogOptions(max_bytes=100, seal_s=1000)) as log:
        log.append(record(b"x" * 50), []).result(10)
        with pytest.raises(FullError) as caught:
            log.append(record(b"x" * 50), [])
        assert caught.value.status == 429
        assert caught.value.retry_after_s


def test_what_finds_no_room_on_disk_may_be_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    calls = iter([10])

    def full(descriptor: int, data: memoryview) -> int:
        for length in calls:
            return write(descriptor, data[:length])
        raise OSError(errno.ENOSPC, "no space")

    with opened(tmp_path) as log:
        intake = Intake(log)
        accept(intake, "a")
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(FullError, match="no space"):
                accept(intake, "b")
        assert accept(intake, "b") == 0
        assert ids_in(tmp_path) == ["a", "b"]


def test_a_disk_that_fails_ends_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with opened(tmp_path) as log:
        future: Future[None] = log.append(record(b"a"), [])
        with pytest.raises(BrokenError, match="input/output error"):
            future.result(10)
        with pytest.raises(BrokenError):
            log.append(record(b"b"), [])
        assert log.broken


def test_a_profile_is_kept_once(tmp_path: Path) -> None:
    with opened(tmp_path, SOON) as log:
        intake = Intake(log)
        assert accept(intake, "a", "b", "a") == 1
        assert accept(intake, "b", "c") == 1
        wait_until_sealed(log)
        assert accept(intake, "a", "d") == 1
    with opened(tmp_path, SOON) as log:
        intake = Intake(log)
        assert accept(intake, "a", "b", "c", "d") == 4
        assert accept(intake, "", "") == 0
    assert sorted(filter(None, ids_in(tmp_path))) == ["a", "b", "c", "d"]


def test_ids_of_all_series_of_a_push_are_looked_for_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = message("a", "b")
    for ids in (["b", "c"], ["", "d"], ["a"]):
        pushes.add_series(several, *[b"x"] * len(ids), ids=ids)
    asked: list[int] = []
    find = PushLog.find
    monkeypatch.setattr(
        PushLog, "find", lambda log, keys: [asked.append(len(keys)), find(log, keys)][1]
    )
    with opened(tmp_path) as log:
        intake = Intake(log)
        assert accept(intake, "c") == 0
        accepted = intake.accept(Push(several, 7, 0), time.time_ns())
        assert accepted.duplicates == 3, "b and a in two series, and c of the push before"
    assert asked == [1, 4]
    last = kept(tmp_path)[-1].message()
    assert [[one.ID for one in series.samples] for series in last.series] == [
        ["a", "b"],
        [],
        ["", "d"],
        [],
    ]


def test_the_second_of_two_is_acknowledged_no_earlier_than_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: leave.wait(10))
    with opened(tmp_path) as log:
        intake = Intake(log)
        first = intake.accept(Push(message("a"), 1, 0), 1)
        second = intake.accept(Push(message("a"), 1, 0), 1)
        assert second.duplicates == 1
        assert second.futures == first.futures
        assert not second.futures[0].done()
        leave.set()
        second.futures[0].result(10)


def test_runs_of_ids_are_merged_and_expire(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path)
    keys = [key_of(str(number)) for number in range(MERGED * 3)]
    for number in range(MERGED):
        seen.add(number + 1, keys[number * 3 : number * 3 + 3])
    (merged,) = tmp_path.iterdir()
    assert all(seen.known(keys))
    assert seen.known([key_of("x")]) == [False]
    again = SeenIds(tmp_path)
    assert again.last == MERGED
    assert all(again.known(keys))
    os.utime(merged, (0, 0))
    again.add(1000, [])
    assert not any(again.known(keys))
    assert not merged.exists()


def test_what_a_crash_left_of_a_merge_is_removed(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path)
    seen.add(1, [key_of("a")])
    (small,) = tmp_path.iterdir()
    data = small.read_bytes()
    for number in range(2, MERGED + 1):
        seen.add(number, [])
    small.write_bytes(data)
    assert SeenIds(tmp_path).known([key_of("a")]) == [True]
    assert not small.exists()
