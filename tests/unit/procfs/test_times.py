"""CPU time of ourselves, a child and a thread, as /proc tells it."""

from __future__ import annotations

import os
import threading
import time

import pytest

from ebprof.errors import NoTargetError
from ebprof.procfs.times import process_time, thread_time

TICK_S = 0.01


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_own_time_is_that_of_the_process() -> None:
    burn(0.2)
    own = process_time(os.getpid())
    assert (own.tid, own.parent) == (os.getpid(), os.getppid())
    assert abs(own.cpu_ns / 1e9 - time.process_time()) < 0.1 + 2 * TICK_S


def test_a_thread_has_its_own_time() -> None:
    busy, quiet = threading.Event(), threading.Event()

    def work() -> None:
        burn(0.3)
        busy.set()
        quiet.wait()

    thread = threading.Thread(target=work)
    thread.start()
    busy.wait()
    assert thread.native_id is not None
    found = thread_time(thread.native_id)
    quiet.set()
    thread.join()
    assert (found.pid, found.tid) == (os.getpid(), thread.native_id)
    assert 0.3 - 3 * TICK_S <= found.cpu_ns / 1e9 < 1.0


def test_what_is_gone_has_no_time() -> None:
    for read in (process_time, thread_time):
        with pytest.raises(NoTargetError):
            read(1 << 22)
