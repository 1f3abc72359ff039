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


def test_one_interval_of_sixteen_is_timed(kernel: Kernel) -> None:
    share = statistics.TimedShare()
    timed = []
    for _ in range(3 * statistics.PERIOD):
        share.next_interval()
        timed.append(kernel.is_on())
        kernel.now += 1
    share.close()
    assert timed == ([True] + [False] * (statistics.PERIOD - 1)) * 3
    assert share.scale() == pytest.approx(statistics.PERIOD)
    assert not kernel.is_on()


def test_the_scale_is_of_time_and_not_of_intervals(kernel: Kernel) -> None:
    share = statistics.TimedShare()
    for length in (0.5, 2.0, 2.5):
        share.next_interval()
        kernel.now += length
    share.next_interval()
    assert share.scale() == pytest.approx(5.0 / 0.5)


def test_while_timed_it_speaks_of_the_time_so_far(kernel: Kernel) -> None:
    share = statistics.TimedShare()
    share.next_interval()
    kernel.now += 3
    assert share.scale() == pytest.approx(1.0)
    share.close()


def test_nothing_timed_says_nothing() -> None:
    assert statistics.TimedShare().scale() == 0.0


def test_a_kernel_that_cannot_is_no_error(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics.lib, "bpf_enable_stats", lambda kind: -22)
    share = statistics.TimedShare()
    share.next_interval()
    kernel.now += 1
    share.next_interval()
    assert share.scale() == 0.0
