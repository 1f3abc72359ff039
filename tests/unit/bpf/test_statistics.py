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


def test_a_second_of_sixteen_is_timed(kernel: Kernel) -> None:
    share = statistics.TimedShare()
    timed = 0
    for _ in range(10 * round(3 * statistics.PERIOD_S)):
        share.tick()
        timed += kernel.is_on()
        kernel.now += 0.1
    share.close()
    assert timed == pytest.approx(10 * 3 * statistics.TIMED_S, abs=3)
    assert share.scale() == pytest.approx(statistics.PERIOD_S / statistics.TIMED_S, rel=0.1)
    assert not kernel.is_on()


def test_a_tick_that_comes_at_once_does_not_end_the_timing(kernel: Kernel) -> None:
    share = statistics.TimedShare()
    for wait in (0.001, 0.999):
        share.tick()
        kernel.now += wait
        assert kernel.is_on()
    share.tick()
    assert not kernel.is_on()
    kernel.now += 1
    assert share.scale() == pytest.approx(2.0)


def test_while_timed_it_speaks_of_the_time_so_far(kernel: Kernel) -> None:
    share = statistics.TimedShare()
    share.tick()
    kernel.now += 0.5
    assert share.scale() == pytest.approx(1.0)
    share.close()


def test_nothing_timed_says_nothing() -> None:
    assert statistics.TimedShare().scale() == 0.0


def test_a_kernel_that_cannot_is_no_error(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vars(statistics)["lib"], "bpf_enable_stats", lambda kind: -22)
    share = statistics.TimedShare()
    share.tick()
    kernel.now += 1
    share.tick()
    assert share.scale() == 0.0
