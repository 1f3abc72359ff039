"""An agent that costs too much looks less closely, and more closely once there is room."""

from __future__ import annotations

from ebprof.agent.budget import EASE_S, MOST_HOOK_S, SPAN_S, Budget, Governor, Spent

BUDGET = Budget(cpu=0.02, memory=1000)


class World:
    """An agent that is looked at every ten seconds."""

    def __init__(self, frequency: int = 19, *, may_unhook: bool = False) -> None:
        self.now = 100.0
        self.cpu_seconds = 7.0
        self.traffic_seconds = 2.0
        self.reasons: list[str] = []
        self.governor = Governor(
            BUDGET, frequency, self.reasons.append, lambda: self.now, may_unhook=may_unhook
        )

    def run(
        self, seconds: float, share: float, memory: int = 10, traffic: float = 0.0
    ) -> list[int]:
        """Frequencies that there were after each change meanwhile. traffic: of the share."""
        changes = []
        for _ in range(round(seconds / 10)):
            self.now += 10
            self.cpu_seconds += 10 * share
            self.traffic_seconds += 10 * traffic
            if self.governor.look(Spent(self.cpu_seconds, self.traffic_seconds, memory)):
                changes.append(self.governor.frequency)
        return changes

    def until_hooked(self) -> float:
        """How long there is room to spare before calls are counted again."""
        start = self.now
        while not self.governor.counts_calls:
            self.run(10, 0.001)
        return self.now - start


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


def test_calls_that_cost_the_most_are_counted_no_more() -> None:
    world = World(may_unhook=True)
    assert world.governor.counts_calls
    assert world.run(80, 0.05, traffic=0.03) == [19]
    assert (world.governor.counts_calls, world.reasons) == (False, ["calls"])
    assert world.run(80, 0.05, traffic=0.03) == [9], "what else there is to shed"
    assert world.reasons == ["calls", "cpu"]


def test_calls_that_cost_little_are_counted_on() -> None:
    world = World(may_unhook=True)
    world.run(80, 0.05, traffic=0.02)
    assert (world.governor.counts_calls, world.reasons) == (True, ["cpu"])
    world.run(3600, 0.019, traffic=0.019)
    assert world.governor.counts_calls, "they are within the budget"


def test_at_last_calls_are_counted_no_more_whatever_they_cost() -> None:
    world = World(may_unhook=True)
    world.run(3600, 0.05, traffic=0.01)
    assert world.reasons == ["cpu"] * 4 + ["calls"]


def test_where_nothing_else_finds_sockets_calls_are_counted_on() -> None:
    world = World()
    world.run(80, 0.05, traffic=0.05)
    assert world.reasons == ["cpu"]


def test_calls_are_tried_again_and_less_often_each_time() -> None:
    world = World(may_unhook=True)
    waits = []
    for _ in range(12):
        world.run(80, 0.05, traffic=0.05)
        assert not world.governor.counts_calls
        waits.append(world.until_hooked())
    expected = [min(2**number * EASE_S, MOST_HOOK_S) for number in range(1, 13)]
    assert [wait - SPAN_S for wait in waits] == expected
