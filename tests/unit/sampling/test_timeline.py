"""Rings that are read one after the other come out in the order of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import pytest

from ebprof.bpf.records import DeferredSample, Records
from ebprof.bpf.sideband import Bound, Change, Executed, Exited, Forked
from ebprof.procfs import process
from ebprof.sampling import timeline
from ebprof.sampling.timeline import LEAVING_NS, Timeline


@dataclass(slots=True)
class Reader:
    """Hands out what it is given, once."""

    records: list[Records] = field(default_factory=list)
    fd: int = 5

    def drain(self, bound: Bound) -> Records:
        return self.records.pop(0) if self.records else Records(b"", [], [], [], [])


@dataclass(slots=True)
class Sideband:
    """Hands out what it is given, once."""

    changes: list[Change] = field(default_factory=list)
    descriptors: tuple[int, ...] = (6, 7)

    def drain(self, bound: Bound) -> list[Change]:
        taken, self.changes = self.changes, []
        return taken


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Processes that run on, whatever was reported of their first thread; none by default."""
    pids: set[int] = set()
    monkeypatch.setattr(process, "is_running", pids.__contains__)
    return pids


def sample(time: int, pid: int = 1) -> DeferredSample:
    return DeferredSample(time, pid, None, memoryview(b""))


def deferred(*samples: DeferredSample, data: bytes = b"") -> Records:
    return Records(data, [], list(samples), [], [])


def test_events_come_by_time_whatever_their_ring() -> None:
    changes: list[Change] = [Exited(40, 2), Forked(10, 2, 1), Executed(20, 2)]
    line = Timeline(Reader([deferred(sample(30, 2))]), Sideband(changes))  # type: ignore[arg-type]
    line.collect()
    assert [event.time for event in line.take_until(inf)] == [10, 20, 30, 40 + LEAVING_NS]
    assert list(line.take_until(inf)) == []


def test_a_change_is_known_once_it_is_followed() -> None:
    reader = Reader([deferred(sample(30, 2))])
    line = Timeline(reader, Sideband([Executed(20, 2), Forked(40, 3, 2)]))  # type: ignore[arg-type]
    line.collect()
    known = [line.known_until_ns() for _ in line.take_until(inf)]
    assert known == [19, 29, 39] and line.known_until_ns() == 40


def test_late_events_wait_for_earlier_ones() -> None:
    sideband = Sideband([Executed(50, 2)])
    line = Timeline(Reader([deferred(sample(10, 2))]), sideband)  # type: ignore[arg-type]
    line.collect()
    assert [event.time for event in line.take_until(40)] == [10]
    sideband.changes = [Forked(45, 3, 2)]
    line.collect()
    assert [event.time for event in line.take_until(60)] == [45, 50]


def test_a_process_is_ending_until_its_last_end() -> None:
    changes: list[Change] = [Executed(20, 2), Exited(40, 2)]
    reader = Reader([deferred(sample(10, 2), sample(30, 2), sample(30, 3))])
    line = Timeline(reader, Sideband(changes))  # type: ignore[arg-type]
    line.collect()
    seen = [
        (event.time, line.is_ending(event.pid))
        for event in line.take_until(inf)
        if isinstance(event, DeferredSample)
    ]
    assert seen == [(10, True), (30, True), (30, False)]
    assert not line.is_ending(2)


def test_a_process_is_there_while_it_leaves() -> None:
    reader = Reader([deferred(sample(41, 2), sample(42 + LEAVING_NS, 2))])
    line = Timeline(reader, Sideband([Exited(40, 2)]))  # type: ignore[arg-type]
    line.collect()
    kinds = [type(event) for event in line.take_until(inf)]
    assert kinds == [DeferredSample, Exited, DeferredSample]


def test_other_records_are_handed_out_once() -> None:
    records = deferred(data=b"abc")
    line = Timeline(Reader([records]), Sideband())  # type: ignore[arg-type]
    line.collect()
    assert line.take_records() == [records]
    assert line.take_records() == []
    assert line.descriptors == [5, 6, 7]


def test_what_gathers_in_the_midst_of_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_HELD", 10)
    reader = Reader([deferred(data=b"x" * 8) for _ in range(5)])
    line = Timeline(reader, Sideband())  # type: ignore[arg-type]
    for _ in range(5):
        line.relieve()
    assert len(reader.records) == 3
    line.take_records()
    line.relieve()
    assert len(reader.records) == 2


def test_changes_that_gather_in_the_midst_of_work_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timeline, "MAX_EVENTS", 10)
    sideband = Sideband()
    line = Timeline(Reader(), sideband)  # type: ignore[arg-type]
    for _ in range(5):
        sideband.changes = [Forked(45, 3, 2)] * 4
        line.relieve()
    assert len(list(line.take_until(inf))) == 12


def test_the_end_of_a_first_thread_is_none_of_a_process_that_runs_on(running: set[int]) -> None:
    running.add(2)
    changes: list[Change] = [Exited(40, 2), Exited(50, 3)]
    line = Timeline(Reader(), Sideband(changes))  # type: ignore[arg-type]
    line.collect()
    (event,) = line.take_until(inf)
    assert isinstance(event, Exited) and event.pid == 3
    assert not line.is_ending(2)
