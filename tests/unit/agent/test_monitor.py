"""Windows by the clock: each sample in one, each loss with its window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ebprof.agent.monitor import AgentMonitor
from ebprof.agent.packer import Closed
from tests.unit.agent.fakes import FakeRun

S = 10**9
START = 1_700_000_003 * S


class World:
    """A monitor of windows of 10 s, and its clock. off: nanoseconds by which that was set."""

    def __init__(self) -> None:
        self.now = START
        self.off = 0
        self.run = FakeRun()
        self.closed: list[Closed] = []
        self.rests: list[float] = []
        self.monitor = AgentMonitor(
            self.run,
            10.0,
            self.closed.append,
            lambda: self.now + self.off,
            lambda: self.now,
            sleep=self.rests.append,
        )
        self.monitor.begin()

    def tick(self, seconds: float) -> None:
        self.now += round(seconds * S)
        self.monitor.tick()

    @property
    def spans(self) -> list[tuple[float, float]]:
        """Start and length of the windows, in seconds since the start."""
        return [
            ((one.profile.time_ns - START) / S, one.profile.duration_ns / S) for one in self.closed
        ]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.run.close()


def test_windows_end_at_multiples_of_the_interval(world: World) -> None:
    world.tick(6.9)
    assert world.run.takes == 0
    world.run.tend_s = 0.25
    assert world.rests == [pytest.approx(0.1)], "it does not wake up for each piece of news"
    world.tick(-0.9)
    assert world.rests[1:] == [pytest.approx(0.25)]
    assert world.monitor.tick_s == pytest.approx(0.5)
    world.tick(0.95)
    assert world.rests[2:] == [pytest.approx(0.05)], "a window ends then"
    assert world.monitor.tick_s == pytest.approx(0.05)
    for _ in range(3):
        world.tick(0.2)
        world.tick(9.8)
    world.tick(0)
    assert world.spans[:3] == [(0, 7), (7, 10), (17, 10)]


def test_it_looks_less_often_while_no_process_changes(world: World) -> None:
    world.run.tend_s = 0.25
    for hears, seconds in ((True, 0.5), (False, 1.0), (True, 0.5)):
        world.run.hears = hears
        world.tick(0.5)
        assert world.monitor.tick_s == pytest.approx(seconds)


def test_all_samples_are_in_windows(world: World) -> None:
    for number in range(1, 8):
        world.run.pending = [f"main;f{number}"] * number
        world.run.lag = number % 3
        world.tick(10)
    world.run.pending = ["main;last"]
    world.monitor.stop()
    world.monitor.finish()
    assert [one.profile.total for one in world.closed] == [*range(1, 8), 1]
    assert world.monitor.figures.samples == sum(one.profile.total for one in world.closed)
    starts = [start for start, _ in world.spans]
    assert starts == sorted(starts)
    assert world.closed[0].profile.period == world.run.sampled.period


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_a_window_that_the_run_ends_itself_is_a_part(world: World, lag: int) -> None:
    """It does so where numbers of files or processes are used again."""
    world.run.lag = lag
    world.tick(9)
    for number in (1, 2):
        world.run.pending = ["f"] * number
        world.run.take()
        world.tick(1)
    world.run.pending = ["f"] * 4
    world.run.losing["ring_full"] = 3
    world.tick(9)
    world.monitor.stop()
    world.monitor.finish()
    by_start: dict[float, int] = {}
    for (start, _), one in zip(world.spans, world.closed, strict=True):
        by_start[start] = by_start.get(start, 0) + one.profile.total
    assert by_start == {0: 0, 7: 1 + 2 + 4, 17: 0}
    assert sum(one.losses.get("ring_full", 0) for one in world.closed) == 3


def test_losses_go_with_the_window_they_happened_in(world: World) -> None:
    for total in (3, 3, 5):
        world.run.losing["ring_full"] = total
        world.tick(10)
    world.tick(0)
    assert [one.losses["ring_full"] for one in world.closed][:3] == [3, 0, 2]


def test_a_long_stall_is_one_window(world: World) -> None:
    world.tick(37.5)
    world.tick(0)
    assert world.spans == [(0, 37)]


@pytest.mark.parametrize("seconds", [-3600, -25, 25, 86_400])
def test_a_clock_that_is_set_has_windows_of_its_new_time(world: World, seconds: int) -> None:
    world.tick(10)
    world.off = seconds * S
    for _ in range(3):
        world.tick(4)
    world.off = 0  # and right again
    for _ in range(6):
        world.tick(4)
    world.tick(0)
    set_at, right_again = world.spans[1], world.spans[-3:]
    assert set_at[0] + set_at[1] == pytest.approx(seconds + 14, abs=10)
    assert all(0 <= length <= 14 for _, length in world.spans)
    assert all(7 <= start < 50 for start, _ in right_again), "no window is of a time to come"
    assert sum(length for _, length in world.spans) == pytest.approx(7 + 3 * 10 + 4, abs=14)
