"""A run that changes how often it samples: samples of a window stand for the time that it had."""

from __future__ import annotations

import os
import time

import pytest

from ebprof.procfs import process
from ebprof.sampling.options import RecordOptions
from ebprof.sampling.run import SamplingRun, open_run
from ebprof.sampling.target import Target
from tests import targets

FREQUENCIES = (400, 50, 200)
CPU_S = 1.5
SLACK = 0.25
"""Of the share: CPU time is read in ticks of 10 ms, and windows end a moment off it."""


def test_samples_stand_for_the_time_of_their_window() -> None:
    with targets.running("shares") as program:
        options = RecordOptions(event="cpu-clock", frequency=FREQUENCIES[0])
        with open_run(Target(pids=(program.pid,)), options) as run:
            run.start()
            for number, frequency in enumerate(FREQUENCIES):
                if number:
                    run.set_frequency(frequency)
                assert run.sampled.period == 10**9 // frequency
                assert stood_for(run, program.pid) == pytest.approx(1, abs=SLACK)
            run.stop()


def stood_for(run: SamplingRun, pid: int) -> float:
    """Time that a window's samples stand for, as a part of the CPU time that passed in it."""
    period, start = run.sampled.period, ticks(pid)
    end = start + round(CPU_S * os.sysconf("SC_CLK_TCK"))
    while ticks(pid) < end:
        run.tend()
        time.sleep(0.05)
    run.take()
    passed = (ticks(pid) - start) / os.sysconf("SC_CLK_TCK")
    found = 0
    while not found:
        found = sum(window.samples.total for window in run.named(1.0))
    return found * period / 1e9 / passed


def ticks(pid: int) -> int:
    return process.cpu_ticks(pid)
