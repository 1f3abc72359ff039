"""The share of time in which BPF programs are timed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from ebprof.bpf import statistics


class Kernel:
    """Stands for the kernel: a clock that tests move; the switch is on while a file is open."""

    def __init__(self) -> None:
        self.now = 100.0
        self.opened: list[int] = []

    def enable(self, kind: int) -> int:
        self.opened.append(os.open(os.devnull, os.O_RDONLY))
        return self.opened[-1]

    def is_on(self) -> bool:
        try:
            return bool(self.opened) and os.fstat(self.opened[-1]) is not None
        except OSError:
            return False


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    made = Kernel()
    monkeypatch.setattr(
        statistics, "lib", SimpleNamespace(bpf_enable_stats=made.enable, BPF_STATS_RUN_TIME=0)
    )
    monkeypatch.setattr(statistics, "time", SimpleNamespace(monotonic=lambda: made.now))
    yield made


class Programs:
    """Run all the time, a thousand times a second for a millisecond each; counted while timed."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.runs = 7

    def read(self) -> tuple[int, float]:
        return self.runs, self.runs / 1e3

    def run(self, seconds: float, *, is_timed_by_others: bool = False) -> None:
        if self._kernel.is_on() or is_timed_by_others:
            self.runs += round(seconds * 1e3)
        self._kernel.now += seconds


@pytest.fixture
def programs(kernel: Kernel) -> Programs:
    return Programs(kernel)


@pytest.mark.parametrize("others", [False, True])
def test_a_second_of_sixteen_is_timed(kernel: Kernel, programs: Programs, others: bool) -> None:
    share = statistics.TimedShare(programs.read)
    timed = 0
    for _ in range(10 * round(3 * statistics.PERIOD_S)):
        share.tick()
        timed += kernel.is_on()
        programs.run(0.1, is_timed_by_others=others)
    share.close()
    assert timed == pytest.approx(10 * 3 * statistics.TIMED_S, abs=3)
    seconds = 3 * statistics.PERIOD_S
    assert share.total() == (pytest.approx(1e3 * seconds), pytest.approx(seconds))
    assert not kernel.is_on()


def test_a_tick_that_comes_at_once_does_not_end_the_timing(
    kernel: Kernel, programs: Programs
) -> None:
    share = statistics.TimedShare(programs.read)
    for wait in (0.001, 0.999):
        share.tick()
        programs.run(wait)
        assert kernel.is_on()
    share.tick()
    assert not kernel.is_on()
    programs.run(1)
    assert share.total()[0] == pytest.approx(2000)


def test_while_timed_it_speaks_of_the_time_so_far(kernel: Kernel, programs: Programs) -> None:
    share = statistics.TimedShare(programs.read)
    kernel.now += 9
    share.tick()
    programs.run(0.5)
    assert share.total() == (500, pytest.approx(0.5))
    share.close()


def test_all_the_time(kernel: Kernel, programs: Programs) -> None:
    share = statistics.TimedShare(programs.read, is_always=True)
    for _ in range(50):
        share.tick()
        programs.run(1)
    assert kernel.is_on()
    assert share.total() == (50_000, pytest.approx(50))
    share.close()
    assert not kernel.is_on()


def test_nothing_timed_says_nothing(programs: Programs) -> None:
    assert statistics.TimedShare(programs.read).total() == (0, 0.0)


def test_a_kernel_that_cannot_is_no_error(
    kernel: Kernel, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vars(statistics)["lib"], "bpf_enable_stats", lambda kind: -22)
    share = statistics.TimedShare(programs.read)
    share.tick()
    kernel.now += 1
    share.tick()
    assert share.total() == (0, 0.0)
