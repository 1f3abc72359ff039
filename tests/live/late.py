"""Runs ebprof as on a machine that leaves it little time: `python -m tests.live.late ARGUMENTS`.

Nothing is read before sampling begins, and what happens is looked at long after it did.
"""

from __future__ import annotations

import time
from typing import Any

from ebprof.cli import main
from ebprof.sampling import code
from ebprof.sampling.timeline import Timeline

LATE_S = 0.12


def make_late() -> None:
    """Let rings be emptied late."""
    collect = Timeline.collect

    def collect_late(self: Timeline) -> None:
        time.sleep(LATE_S)
        collect(self)

    made: Any = Timeline
    made.collect = collect_late
    code.PRELOAD_S = 0.0


if __name__ == "__main__":
    make_late()
    main()
