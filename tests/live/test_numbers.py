"""More programs than there are numbers for files: each sample is named by its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebprof.sampling.options import RecordOptions
from ebprof.sampling.run import open_run
from ebprof.sampling.target import Target
from ebprof.unwind import objects as objects_module
from ebprof.unwind import upkeep as upkeep_module
from tests import targets
from tests.live.long_runs import copies
from tests.live.profiled import SOME

PROGRAMS = 200
NUMBERS = 100
ROUNDS = 3


def test_programs_beyond_the_numbers_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program's threads have its name, and so has the file that its functions are in."""
    monkeypatch.setattr(objects_module, "MAX_OBJECTS", NUMBERS)
    monkeypatch.setattr(upkeep_module, "MAX_UNUSED", 8)
    programs = [str(one) for one in copies(targets.build("brief"), PROGRAMS, tmp_path)]
    command = (str(targets.build("churn")), "0", str(ROUNDS * PROGRAMS), *programs)
    windows = []
    with open_run(Target(command=command), RecordOptions(frequency=997), is_mute=True) as run:
        run.start()
        while not run.is_over:
            run.tend()
            windows += run.named()
        run.stop()
        windows += run.finish()
    right = wrong = 0
    for sample in (one for window in windows for one in window.samples):
        for place in sample.locations:
            if any(frame.function.startswith("brief_") for frame in place.frames):
                assert place.mapping is not None
                is_right = place.mapping.name == sample.comm
                right, wrong = right + is_right, wrong + (not is_right)
    assert len(windows) > 1, "numbers ran short"
    assert right > SOME and wrong == 0
