from __future__ import annotations

from contextlib import closing

import pytest

from ebprof.top import monitor
from ebprof.top.monitor import TopMonitor
from tests.builders import stack
from tests.hot import FakeRecording, stacks


def opened(recording: FakeRecording, *, is_kept: bool = True) -> TopMonitor:
    made = TopMonitor(recording, stacks(), is_kept=is_kept)
    made.begin()
    return made


def total(made: TopMonitor) -> int:
    return made.table.report(made.table.order(whole=True), whole=True).samples


def test_a_second_is_counted_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(FakeRecording(stack("f", 3))) as recording:
        made = opened(recording)
        made.tick()
        assert (recording.is_started, recording.tends, recording.takes) == (True, 1, 0)
        monkeypatch.setattr(monitor, "TAKE_S", 0.0)
        made.tick()
        assert recording.takes == 1 and total(made) == 0
        made.tick()
        assert total(made) == 3


def test_catching_up_waits_for_names() -> None:
    with closing(FakeRecording(stack("f", 3), lag=1)) as recording:
        made = opened(recording)
        made.catch_up(0.05)
        assert total(made) == 0 and made.status().is_waiting

        def named() -> None:
            recording.lag = 0

        recording.on_tend = named
        made.catch_up(10.0)
        assert total(made) == 6 and not made.status().is_waiting


@pytest.mark.parametrize(("is_kept", "expected"), [(True, (6, 6)), (False, (3, 3))])
def test_an_interval_begins_with_a_mark(is_kept: bool, expected: tuple[int, int]) -> None:
    with closing(FakeRecording(stack("f", 3))) as recording:
        made = opened(recording, is_kept=is_kept)
        made.catch_up(1.0)
        made.mark()
        made.catch_up(1.0)
        assert (total(made), made.status().samples) == expected
        assert made.run_status().samples == 6


def test_incomplete_stacks_have_reasons() -> None:
    with closing(FakeRecording()) as recording:
        recording.stops = {"complete": 90, "no_row": 2, "read_fault": 8, "no_user_stack": 500}
        status = opened(recording).status()
        assert status.stops == {"read_fault": 8, "no_row": 2}
        assert status.complete_share == 0.9


def test_reasons_are_those_of_the_interval() -> None:
    with closing(FakeRecording()) as recording:
        made = opened(recording, is_kept=False)
        made.mark()
        recording.stops = {"complete": 10, "no_row": 4}
        recording.lost = 2
        assert made.status().stops == {"no_row": 3}
        assert made.status().complete_share == 0.25
        assert made.status().lost == 2


def test_it_is_over_when_the_recording_is() -> None:
    with closing(FakeRecording()) as recording:
        made = opened(recording)
        assert not made.is_over
        recording.is_over = True
        assert made.is_over


def test_what_has_no_names_is_added_up_since_the_start() -> None:
    with closing(FakeRecording(stack("_PyEval_EvalFrameDefault", 3))) as recording:
        made = opened(recording, is_kept=False)
        made.catch_up(1.0)
        made.mark()
        made.catch_up(1.0)
        (one,) = made.gaps.found()
        assert (one.what, one.samples) == ("Python", 6)
