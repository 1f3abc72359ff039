"""`make soak`: see docs/soak.md, and `python -m tests.soak --help`."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ebprof.signals import SignalNotes, ending
from tests.soak import report
from tests.soak.books import Books, ask_stored, books
from tests.soak.faults import Planned, System, plan
from tests.soak.final import final_faults
from tests.soak.load import Load
from tests.soak.looks import Looks, grows_steadily
from tests.soak.places import Clock, disk, network
from tests.soak.programs import Agent, Collector
from tests.soak.spooled import SpoolWatch

COLLECTOR_MIB, AGENT_MIB = 4096, 96
LOOK_S, PHASE_S = 10.0, 45.0
SETTLE_S = 240.0
"""How long it may take, after all faults, until all that was sampled is stored."""


class Interrupted(Exception):
    """Somebody does not want to wait for the end."""


@dataclass(frozen=True, slots=True)
class Soak:
    """A soak that goes on. notes: of signals that end it."""

    system: System
    load: Load
    spool: SpoolWatch
    looks: Looks
    notes: SignalNotes
    chance: random.Random

    def cycle(self, faults: list[Planned], seconds: float) -> list[str]:
        """Have faults, and let them pass; returns what went wrong that should not."""
        start = time.monotonic()
        ahead, under_way = [*faults], list[Planned]()
        next_look = next_phase = 0.0
        try:
            while (now := time.monotonic() - start) < seconds or ahead or under_way:
                self._turn(ahead, under_way, now)
                if now >= next_phase:
                    self.load.change()
                    next_phase = now + PHASE_S
                if now >= next_look:
                    self._look()
                    next_look = now + LOOK_S
                self._rest()
                if wrong := self._ended(under_way):
                    return wrong
        finally:
            for one in under_way:
                one.fault.end(self.system, self.chance)
        return []

    def _turn(self, ahead: list[Planned], under_way: list[Planned], now: float) -> None:
        """Begin what is due, end what is over, hold up the rest."""
        for one in [one for one in ahead if one.begin <= now]:
            ahead.remove(one)
            one.fault.begin(self.system, self.chance)
            under_way.append(one)
        for one in [one for one in under_way if one.end <= now]:
            under_way.remove(one)
            one.fault.end(self.system, self.chance)
        for one in under_way:
            one.fault.hold(self.system)

    def settle(self) -> Books | None:
        """The books once everything is stored; None where that takes too long."""
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end:
            found = self._books_at_rest()
            if found is not None:
                return found
            self._rest()
        return None

    def _books_at_rest(self) -> Books | None:
        """None while something is on its way."""
        self._look_at_programs()
        before, waiting = self.spool.now(), self.spool.waiting()
        self.system.collector.look()
        log = self.system.collector.metrics.get("log_bytes", 1.0)
        if waiting.total() or log:
            return None
        try:
            stored = ask_stored(self.system.collector)
        except OSError:
            return None
        if self.spool.now() != before:
            return None
        return books(self.system.agent.runs, before, stored, waiting)

    def _look(self) -> None:
        self.looks.look(self.system)
        self._look_at_programs()
        self.looks.ask(self.system.collector.socket)

    def _look_at_programs(self) -> None:
        if not self.system.agent.has_ended:
            self.system.agent.look()

    def _ended(self, under_way: list[Planned]) -> list[str]:
        """Programs that have ended, and that no fault ended."""
        names = {one.fault.name.split()[0] for one in under_way}
        programs = {"agent": self.system.agent, "collector": self.system.collector}
        return [
            f"the {name} has ended by itself: {one.said[-300:]}"
            for name, one in programs.items()
            if one.has_ended and name not in names
        ]

    def _rest(self) -> None:
        if self.notes.is_set:
            raise Interrupted
        time.sleep(1.0)


def main(words: list[str]) -> int:
    """Soak, print; 1 when the books do not balance or memory grows steadily."""
    given = _arguments(words)
    if os.geteuid():
        print("a soak mounts disks and samples the machine: run it as root", file=sys.stderr)
        return 2
    seed = given.seed if given.seed is not None else random.randrange(1 << 32)
    cycles = max(1, round(given.hours * 3600 / given.every))
    print(report.opening(given.hours, cycles, given.every, seed), flush=True)
    base = Path(tempfile.mkdtemp(prefix="ebprof-soak-", dir=given.directory))
    with SignalNotes(*ending()) as notes:
        wrong = _soak(base, random.Random(seed), cycles, given.every, notes)
    for line in wrong:
        print(f"WRONG: {line}")
    print("the books balance" if not wrong else f"what the programs said is in {base}")
    if not wrong:
        shutil.rmtree(base)
    return int(bool(wrong))


def _soak(
    base: Path, chance: random.Random, cycles: int, cycle_s: float, notes: SignalNotes
) -> list[str]:
    wrong: list[str] = []
    with _system(base) as system, ExitStack() as stack:
        load = Load(base, chance)
        stack.callback(load.close)
        soak = Soak(system, load, SpoolWatch(system.agent.spool), Looks(), notes, chance)
        calm_since = time.monotonic()
        table = report.Table(time.monotonic())
        try:
            for number, faults in enumerate(plan(chance, cycles, cycle_s)):
                if number == (cycles + 1) // 2:
                    calm_since = time.monotonic()
                wrong = soak.cycle(faults, cycle_s)
                found = None if wrong else soak.settle()
                table.add(faults, found, soak.looks, system)
                if found is None and not wrong:
                    wrong = [f"after {SETTLE_S:.0f} s not everything is stored"]
                wrong = wrong or (found.faults() if found else [])
                if wrong:
                    break
        except Interrupted:
            print("interrupted: the books are closed now", flush=True)
        load.close()
        wrong += final_faults(system, soak.spool)
        print(report.totals(soak.looks, table))
        for role, looks in soak.looks.memory.items():
            late = [look for look in looks if look[0] >= calm_since]
            grows = grows_steadily(late)
            print(report.memory(role, late, grows))
            if grows:
                wrong.append(f"the memory of {role} grows steadily")
    return wrong


@contextmanager
def _system(base: Path) -> Iterator[System]:
    with ExitStack() as stack:
        collectors = stack.enter_context(disk(base, "collector", COLLECTOR_MIB))
        agents = stack.enter_context(disk(base, "agent", AGENT_MIB))
        net = stack.enter_context(network())
        clocks = Clock(base / "agent.clock"), Clock(base / "collector.clock")
        collector = Collector(collectors.place, base, clocks[1], net)
        stack.callback(_make_sure, collector)
        # A machine that runs other things as well would have it sample less and less.
        options = ("--spool-size", "1", "--cpu-budget", "50", "--memory-budget", "1024")
        agent = Agent(agents.place, base, clocks[0], options)
        stack.callback(_make_sure, agent)
        yield System(agent, collector, net, agents, collectors, *clocks)


def _make_sure(program: Agent | Collector) -> None:
    """Leave no process behind."""
    if not program.has_ended:
        program.kill()


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Run agent and collector under changing load, with faults, and keep books.",
    )
    parser.add_argument("--hours", type=float, default=0.5, help="how long (0.5)")
    parser.add_argument("--every", type=float, default=300, help="seconds of a cycle (300)")
    parser.add_argument("--seed", type=int, help="of an earlier soak: the same faults and loads")
    parser.add_argument("--directory", default="/var/tmp", help="for disks and logs (/var/tmp)")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
