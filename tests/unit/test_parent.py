"""Who is to die with its parent does, however that ends."""

from __future__ import annotations

import subprocess
import sys
import time

from ebprof.procfs import process

CHILD = """
import signal, time
from ebprof.parent import die_with_parent
die_with_parent(signal.SIGKILL)
print("ready", flush=True)
time.sleep(99)
"""
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
print(child.pid, flush=True)
time.sleep(99)
"""


def test_it_dies_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        said = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        (pid,) = said - {"ready"}
        assert process.is_running(int(pid))
        parent.kill()
    end = time.monotonic() + 30
    while process.is_running(int(pid)):
        assert time.monotonic() < end
        time.sleep(0.01)
