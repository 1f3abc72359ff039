"""What goes wrong in a soak, and when: chosen by a seed."""

from __future__ import annotations

import random
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.soak.places import Clock, Disk, Network
from tests.soak.programs import Agent, Collector

RETENTIONS = (
    "raw=3d,1h=90d,1d=400d",
    "raw=1d,1h=90d,1d=90d",
    "raw=2d,1h=2d,1d=2d",
    "raw=7d,1h=400d,1d=1000d",
)


@dataclass(frozen=True, slots=True)
class System:
    """All that faults are done to."""

    agent: Agent
    collector: Collector
    network: Network
    agents_disk: Disk
    collectors_disk: Disk
    agents_clock: Clock
    collectors_clock: Clock


class Fault(ABC):
    """Something that goes wrong for a while. seconds: how long, at least and at most.

    kills: whether it ends a process, whose memory begins anew.
    """

    name: str
    seconds: tuple[float, float]
    kills = False

    @abstractmethod
    def begin(self, system: System, chance: random.Random) -> None:
        """Have it go wrong."""

    def hold(self, system: System) -> None:  # noqa: B027, most go on by themselves
        """Have it go on: called once a second."""

    @abstractmethod
    def end(self, system: System, chance: random.Random) -> None:
        """Have all well again."""


class NetworkCut(Fault):
    name, seconds = "network cut", (10.0, 150.0)

    def begin(self, system: System, chance: random.Random) -> None:
        system.network.cut()

    def end(self, system: System, chance: random.Random) -> None:
        system.network.mend()


class _DiskFull(Fault):
    """Of one disk of a system."""

    @abstractmethod
    def disk(self, system: System) -> Disk: ...

    def begin(self, system: System, chance: random.Random) -> None:
        self.disk(system).fill()

    def hold(self, system: System) -> None:
        self.disk(system).fill()

    def end(self, system: System, chance: random.Random) -> None:
        self.disk(system).empty()


class AgentsDiskFull(_DiskFull):
    name, seconds = "agent's disk full", (10.0, 60.0)

    def disk(self, system: System) -> Disk:
        return system.agents_disk


class CollectorsDiskFull(_DiskFull):
    name, seconds = "collector's disk full", (10.0, 90.0)

    def disk(self, system: System) -> Disk:
        return system.collectors_disk


class AgentsClock(Fault):
    """The last two are further ahead than a collector takes, and long ago."""

    name, seconds = "agent's clock stepped", (20.0, 60.0)

    def begin(self, system: System, chance: random.Random) -> None:
        system.agents_clock.step(chance.choice((2, -2, 75, -75, 1200, -7200)))

    def end(self, system: System, chance: random.Random) -> None:
        system.agents_clock.step(0)


class CollectorsClock(Fault):
    name, seconds = "collector's clock stepped", (20.0, 60.0)

    def begin(self, system: System, chance: random.Random) -> None:
        system.collectors_clock.step(chance.choice((2, -2, 300, -300, 7200, -500)))

    def end(self, system: System, chance: random.Random) -> None:
        system.collectors_clock.step(0)


class StoreHangs(Fault):
    name, seconds = "store stopped", (10.0, 90.0)

    def begin(self, system: System, chance: random.Random) -> None:
        system.collector.signal_store(signal.SIGSTOP)

    def end(self, system: System, chance: random.Random) -> None:
        system.collector.signal_store(signal.SIGCONT)


class StoreKilled(Fault):
    """Whenever it is there, so that it stays away."""

    name, seconds, kills = "store killed", (1.0, 45.0), True

    def begin(self, system: System, chance: random.Random) -> None:
        system.collector.signal_store(signal.SIGKILL)

    def hold(self, system: System) -> None:
        system.collector.signal_store(signal.SIGKILL)

    def end(self, system: System, chance: random.Random) -> None:
        """It is started again by the collector."""


class AgentKilled(Fault):
    name, seconds, kills = "agent killed", (0.0, 20.0), True

    def begin(self, system: System, chance: random.Random) -> None:
        system.agent.kill()

    def end(self, system: System, chance: random.Random) -> None:
        system.agent.start_again()


class CollectorKilled(Fault):
    name, seconds, kills = "collector killed", (0.0, 40.0), True

    def begin(self, system: System, chance: random.Random) -> None:
        system.collector.kill()

    def end(self, system: System, chance: random.Random) -> None:
        system.collector.start_again(chance.choice(RETENTIONS))


class CollectorEnded(Fault):
    name, seconds, kills = "collector ended", (0.0, 20.0), True

    def begin(self, system: System, chance: random.Random) -> None:
        system.collector.end()

    def end(self, system: System, chance: random.Random) -> None:
        system.collector.start_again(chance.choice(RETENTIONS))


FAULTS: Sequence[Fault] = (
    NetworkCut(),
    AgentsDiskFull(),
    CollectorsDiskFull(),
    AgentsClock(),
    CollectorsClock(),
    StoreHangs(),
    StoreKilled(),
    AgentKilled(),
    CollectorKilled(),
    CollectorEnded(),
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, from when to when: seconds of its cycle."""

    fault: Fault
    begin: float
    end: float


def plan(chance: random.Random, cycles: int, cycle_s: float) -> Iterator[list[Planned]]:
    """Faults of each cycle. All have had their turn before one comes again.

    Faults that kill come in the first half alone: in the second, processes live long enough for it
    to be seen whether their memory grows. Every third cycle has two faults, at the same time.
    """
    pools: dict[bool, list[Fault]] = {True: [], False: []}
    for cycle in range(cycles):
        may_kill = cycle < (cycles + 1) // 2
        faults: list[Fault] = []
        while len(faults) < 1 + (cycle % 3 == 2):
            if not pools[may_kill]:
                pools[may_kill] = [one for one in FAULTS if may_kill or not one.kills]
                chance.shuffle(pools[may_kill])
            fault = pools[may_kill].pop()
            if fault not in faults:
                faults.append(fault)
        yield [_planned(fault, chance, cycle_s) for fault in faults]


def _planned(fault: Fault, chance: random.Random, cycle_s: float) -> Planned:
    begin = chance.uniform(0.05, 0.2) * cycle_s
    shortest, longest = fault.seconds
    return Planned(fault, begin, begin + min(chance.uniform(shortest, longest), cycle_s / 2))
