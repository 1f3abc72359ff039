"""An agent that costs too much samples less often, and more often once there is room."""

from __future__ import annotations

from ebprof.agent.budget import EASE_S, SPAN_S, Budget, Governor, Spent

BUDGET = Budget(cpu=0.02, memory=1000)


class World:
    """An agent that is looked at every ten seconds."""

    def __init__(self, frequency: int = 19) -> None:
        self.now = 100.0
        self.cpu_seconds = 7.0
        self.reasons: list[str] = []
        self.governor = Governor(BUDGET, frequency, self.reasons.append, lambda: self.now)

    def run(self, seconds: float, share: float, memory: int = 10) -> list[int]:
        """Frequencies that were changed to meanwhile."""
        changes = []
        for _ in range(round(seconds / 10)):
            self.now += 10
            self.cpu_seconds += 10 * share
            if self.governor.look(Spent(self.cpu_seconds, memory)):
                changes.append(self.governor.frequency)
        return changes


def test_within_the_budget_nothing_happens() -> None:
    world = World()
    assert world.run(3600, 0.019) == []
    assert world.governor.frequency == 19 and world.reasons == []


def test_over_it_the_frequency_is_halved_once_a_minute() -> None:
    world = World()
    assert world.run(SPAN_S, 0.05) == []
    assert world.run(6 * SPAN_S + 100, 0.05) == [9, 4, 2, 1]
    assert world.reasons == ["cpu"] * 4
    assert world.run(3600, 0.05) == [], "it goes on with one sample a second"


def test_a_short_peak_is_no_reason() -> None:
    world = World()
    world.run(300, 0.001)
    assert world.run(10, 0.1) == []
    assert world.run(300, 0.001) == []


def test_memory_counts_too() -> None:
    world = World()
    assert world.run(80, 0.001, memory=2000) == [9]
    assert world.reasons == ["memory"]


def test_with_room_to_spare_it_comes_back() -> None:
    world = World()
    world.run(80, 0.05)
    assert world.governor.frequency == 9
    assert world.run(EASE_S, 0.005) == []
    assert world.run(EASE_S, 0.005) == [18]
    assert world.run(2 * EASE_S, 0.005) == [19]
    assert world.run(2 * EASE_S, 0.015) == [], "there is no room for twice as much"


def test_another_frequency_is_wanted() -> None:
    world = World()
    world.run(80, 0.05)
    world.governor.want(19)
    assert world.governor.frequency == 9, "it is no other than before"
    world.governor.want(49)
    assert world.governor.frequency == 49
    assert world.run(SPAN_S, 0.05) == []
    assert world.run(20, 0.05) == [24]
