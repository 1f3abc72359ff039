"""A run samples as long as it was told to, also when ebprof is busy with what was sampled."""

from __future__ import annotations

import os
import signal
import time

import pytest

from ebprof.commands._record import ProgressLine
from ebprof.recording.recorder import Recorder, Recording
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.run import open_run
from ebprof.sampling.target import Target
from ebprof.sampling.timeline import Timeline
from ebprof.watch.loop import Schedule, Watch
from tests import targets
from tests.live.waiting import PATIENCE

BUSY_S = 3.0 * PATIENCE
"""How long ebprof is busy once, of which sampling may take a third."""
HZ = 997
SLICE_NS = 20_000_000


class Busy:
    """Has the first drain take long; with interrupt, a Ctrl-C comes in the midst of it."""

    def __init__(self, *, interrupt: bool) -> None:
        self._is_first = True
        self._interrupt = interrupt
        self._collect = Timeline.collect

    def collect(self, timeline: Timeline) -> None:
        self._collect(timeline)
        if not self._is_first:
            return
        self._is_first = False
        _be_busy(BUSY_S / 10)
        if self._interrupt:
            os.kill(os.getpid(), signal.SIGINT)
        _be_busy(BUSY_S)


def _be_busy(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def recorded(event: str, duration_s: float | None) -> Recording:
    """A run during which ebprof is busy; it is interrupted where it has no duration."""
    frequency = HZ if event == "cpu-clock" else None
    options = RecordOptions(event, frequency, duration_s=duration_s, slice_ns=SLICE_NS)
    with (
        targets.running("split") as target,
        open_run(Target(pids=(target.pid,)), options) as run,
        pytest.MonkeyPatch.context() as patch,
    ):
        recorder = Recorder(run, options)
        line = ProgressLine(recorder, "it", shown=False)
        busy = Busy(interrupt=duration_s is None)
        patch.setattr(Timeline, "collect", lambda timeline: busy.collect(timeline))
        Watch(recorder, line, Schedule(None, None, duration_s)).run()
        return recorder.result()


def check(done: Recording) -> None:
    """It was over long before ebprof was idle again, and has no samples of later."""
    stats = done.statistics.to_json()
    duration_s = stats["duration_seconds"]
    assert duration_s < BUSY_S / 3
    assert done.profile.total > 0
    last_ns = max(sample.time_ns or 0 for sample in done.profile.samples)
    assert last_ns <= duration_s * 1e9
    assert not {"undersampled", "oversampled"} & stats["counters"].keys()
    assert stats["samples"]["cpu_seconds"] < BUSY_S / 2


@pytest.mark.parametrize("event", ["cpu-clock", "u:ten", "sched:sched_switch"])
def test_deadline(event: str) -> None:
    check(recorded(event, 0.3))


def test_interrupt() -> None:
    check(recorded("cpu-clock", None))
