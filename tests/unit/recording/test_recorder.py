"""A recording over a machine without a kernel."""

from __future__ import annotations

import pytest

from ebprof.recording.recorder import Recorder, Recording
from ebprof.sampling.options import RecordOptions
from ebprof.unwind import objects as objects_module
from ebprof.unwind import upkeep as upkeep_module
from tests.unit.sampling.simulated import Machine


def record(machine: Machine, processes: int) -> Recording:
    """What so many processes bring, each with a file of its own."""
    with machine.run() as run:
        recorder = Recorder(run, RecordOptions(duration_s=5))
        recorder.begin()
        for _ in machine.live(processes, lambda number: number):
            machine.clock.now += 0.5
            recorder.tick()
        recorder.stop()
        return recorder.result()


@pytest.mark.parametrize("numbers", [1000, 128])
def test_a_profile_is_that_of_all_windows(monkeypatch: pytest.MonkeyPatch, numbers: int) -> None:
    """Whether or not numbers of files had to be used again."""
    monkeypatch.setattr(upkeep_module, "MAX_UNUSED", 1)
    monkeypatch.setattr(objects_module, "MAX_OBJECTS", numbers)
    done = record(Machine(monkeypatch), 400)
    samples = done.profile.samples
    assert samples.total == 800 and done.statistics.subject.samples.lost == 0
    assert all(one.locations[0].frames[0].function == one.comm for one in samples)
    assert {one.comm for one in samples} == {f"f{number}" for number in range(400)}
    assert done.statistics.counters == {} and done.warnings == ()


def test_the_most_frequent_sample_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    with machine.run() as run:
        recorder = Recorder(run, RecordOptions())
        recorder.begin()
        for number, count in enumerate((1, 3, 2)):
            machine.execute(1 << 22 | number, number)
            for _ in range(count):
                machine.sample(1 << 22 | number)
        recorder.tick()
        recorder.stop()
        assert [one.count for one in recorder.result().profile.samples] == [3, 2, 1]
