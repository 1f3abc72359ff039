"""The loop of a run: when it counts, when it reports, and what ends it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ebprof.watch.loop import Schedule, Watch
from tests.flows import FakeMonitor


@dataclass
class FakeReport:
    """Keeps how many ticks had been when it was shown."""

    monitor: FakeMonitor
    on_show: Callable[[], None] = lambda: None
    on_finish: Callable[[], object] = lambda: None
    is_over: bool = False
    is_waiting: bool = False
    watched: list[tuple[int, int]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    shown_at: list[int] = field(default_factory=list)

    def begin(self) -> None:
        self.calls.append("begin")

    def react(self) -> None:
        self.calls.append("react")
        self.is_over = True

    def show(self) -> None:
        self.calls.append("show")
        self.shown_at.append(self.monitor.ticks)
        self.on_show()

    def finish(self) -> None:
        self.calls.append("finish")
        self.on_finish()


@pytest.fixture
def monitor() -> FakeMonitor:
    return FakeMonitor()


def watch(
    report: FakeReport,
    interval_s: float | None = None,
    count: int | None = None,
    duration_s: float | None = None,
) -> float:
    """Seconds that a run takes."""
    start = time.monotonic()
    Watch(report.monitor, report, Schedule(interval_s, count, duration_s)).run()
    return time.monotonic() - start


def test_so_many_reports_as_asked_for_each_just_after_a_tick(monitor: FakeMonitor) -> None:
    report = FakeReport(monitor)
    assert watch(report, interval_s=0.1, count=3) >= 0.3
    assert report.calls == ["begin", "show", "show", "show", "finish"]
    assert len(set(report.shown_at)) == 3 and report.shown_at[0] >= 1
    assert monitor.marks == 3


def test_one_report_of_a_whole_run(monitor: FakeMonitor) -> None:
    monitor.tick_s = 0.01
    report = FakeReport(monitor)
    assert watch(report, duration_s=0.3) >= 0.3
    assert report.calls == ["begin", "show", "finish"]
    assert report.shown_at == [monitor.ticks] and monitor.ticks > 3


def test_the_rest_of_a_run_is_reported(monitor: FakeMonitor) -> None:
    report = FakeReport(monitor)
    watch(report, interval_s=0.4, duration_s=0.6)
    assert report.calls == ["begin", "show", "show", "finish"]


def test_a_run_that_ends_with_an_interval_has_no_rest(monitor: FakeMonitor) -> None:
    report = FakeReport(monitor)
    watch(report, interval_s=0.2, duration_s=0.2)
    assert report.calls == ["begin", "show", "finish"]


def test_counting_goes_on_between_reports_and_while_the_reader_is_slow(
    monitor: FakeMonitor,
) -> None:
    monitor.tick_s = 0.01
    report = FakeReport(monitor, is_waiting=True)
    watch(report, interval_s=0.05, duration_s=0.5)
    assert report.calls == ["begin", "show", "finish"]
    assert monitor.ticks > 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_what_was_counted_is_reported(number: signal.Signals) -> None:
    report = FakeReport(FakeMonitor(on_tick=lambda: signal.raise_signal(number)))
    before = signal.signal(number, signal.SIG_DFL)  # tests under nohup, too
    try:
        watch(report)
    finally:
        signal.signal(number, before)
    assert report.calls == ["begin", "show", "finish"]


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_a_second_signal_does_not_cost_the_result() -> None:
    monitor = FakeMonitor(on_tick=interrupt)
    report = FakeReport(monitor, on_show=interrupt, on_finish=interrupt)
    watch(report)
    assert report.calls == ["begin", "show", "finish"]


def test_where_writing_hangs_another_signal_ends_it() -> None:
    report = FakeReport(
        FakeMonitor(on_tick=interrupt), on_finish=lambda: (interrupt(), interrupt())
    )
    with pytest.raises(KeyboardInterrupt):
        watch(report)


def test_a_hang_up_that_nohup_ignores_stays_ignored(monitor: FakeMonitor) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monitor.on_tick = lambda: signal.raise_signal(signal.SIGHUP)
        report = FakeReport(monitor)
        assert watch(report, interval_s=0.1, count=2) >= 0.2
    finally:
        signal.signal(signal.SIGHUP, before)
    assert report.calls == ["begin", "show", "show", "finish"]


def test_a_descriptor_that_is_ready_is_reacted_to(monitor: FakeMonitor) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"x")
        report = FakeReport(monitor, watched=[(reader, select.POLLIN)])
        watch(report)
    finally:
        os.close(reader)
        os.close(writer)
    assert report.calls == ["begin", "react", "show", "finish"]


def test_reports_that_were_missed_are_not_made_up_for(monitor: FakeMonitor) -> None:
    report = FakeReport(monitor, on_show=lambda: time.sleep(0.35))
    watch(report, interval_s=0.1, duration_s=0.75)
    assert report.calls.count("show") <= 3


def test_it_ends_when_there_is_nothing_left_to_count(monitor: FakeMonitor) -> None:
    monitor.tick_s, monitor.is_over = 0.01, False

    def end() -> None:
        monitor.is_over = True

    monitor.on_tick = end
    report = FakeReport(monitor)
    watch(report, interval_s=100)
    assert report.calls == ["begin", "show", "finish"]


def test_what_counts_is_ticked_when_it_has_something(monitor: FakeMonitor) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"x")
        monitor.tick_s, monitor.watched = 100.0, ((reader, select.POLLIN),)
        monitor.on_tick = lambda: os.read(reader, 1) if monitor.ticks == 2 else None
        watch(FakeReport(monitor), duration_s=0.2)
    finally:
        os.close(reader)
        os.close(writer)
    assert monitor.ticks >= 2
