from __future__ import annotations

import subprocess
import sys
import time

from ebprof.watch.clock import seconds_since_start

PROGRAM = """
import time
from ebprof.watch.clock import seconds_since_start
time.sleep(0.3)
print(seconds_since_start())
"""


def test_time_counts_from_the_start_of_the_process() -> None:
    before = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True
    )
    assert 0.3 < float(done.stdout) <= time.monotonic() - before + 0.02  # it counts in ticks
    assert seconds_since_start() > 0
