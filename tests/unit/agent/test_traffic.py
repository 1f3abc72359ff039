"""Traffic beside a run: drained, named, in the run's windows."""

from __future__ import annotations

import os
import subprocess

import pytest

from ebprof.agent import owners as module
from ebprof.agent.identities import Identities
from ebprof.agent.services import Rule
from ebprof.agent.traffic import TrafficMonitor
from ebprof.bpf.traffic import FlowBatch
from ebprof.procfs import process
from ebprof.walls import Walls
from ebprof.wire.flows import FlowWindow
from tests.unit.traffic.batches import FakeSession, batch, counts, key, owner
from tests.unit.traffic.batches import process as process_id


class World:
    """A monitor of a session that hands out batches, and its clock."""

    def __init__(self, *batches: FlowBatch) -> None:
        self.now = 0.0
        self.session = FakeSession(*batches)
        self.windows: list[FlowWindow] = []
        self.identities = Identities("n", ())
        self.monitor = TrafficMonitor(
            self.session, self.identities, "n", Walls(), self.windows.append, clock=lambda: self.now
        )
        self.monitor.begin()

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.monitor.tick()

    def services(self) -> list[str]:
        """Of the flows of the last window."""
        last = self.windows[-1]
        numbers = last.processes["service"][last.flows["process"]]
        return [last.strings[one] for one in numbers.tolist()]


def living() -> tuple[int, int]:
    """A process as the kernel numbers it, and its start: ourselves."""
    return os.getpid(), process.start_time(os.getpid()) & 0xFFFFFFFF


def ended(pid: int, comm: str) -> FlowBatch:
    """A flow of a process that is gone."""
    return batch((key(pid), counts(tx=1)), owners=[(process_id(pid), owner(comm, pid=pid))])


def test_it_drains_once_a_second_and_at_the_end_of_a_window() -> None:
    world = World(*(batch((key(1), counts(tx=10**number))) for number in range(4)))
    world.tick(0.5)
    assert len(world.session.batches) == 4
    world.tick(0.6)
    world.tick(0.5)
    world.monitor.end_window(0, 10)
    assert len(world.session.batches) == 2
    world.tick(1)
    world.monitor.end_window(10, 20)
    assert [one.flows["tx_bytes"].tolist() for one in world.windows] == [[11], [1100]]
    assert [(one.start_ns, one.end_ns) for one in world.windows] == [(0, 10), (10, 20)]
    world.monitor.end_window(20, 30)
    assert len(world.windows) == 2
    assert world.monitor.figures.counts["tx_bytes"] == 1111
    assert world.monitor.kernel_seconds == 0.5


def test_losses_go_with_their_window() -> None:
    world = World()
    world.session.counters = lambda: {"untracked": 3, "overflowed": 9}  # type: ignore[method-assign]
    world.monitor.end_window(0, 1)
    world.monitor.end_window(1, 2)
    assert [one.losses for one in world.windows] == [{"untracked": 3}]


def test_windows_say_that_calls_were_not_counted_all_the_time() -> None:
    world = World(*(batch((key(1), counts(tx=1))) for _ in range(5)))
    changes = (world.monitor.unhook_calls, lambda: None, world.monitor.hook_calls, lambda: None)
    world.monitor.end_window(0, 1)
    for at, change in enumerate(changes, 1):
        change()
        world.monitor.end_window(at, at + 1)
    assert ["without_calls" in one.losses for one in world.windows] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_windows_without_flows_lack_no_calls() -> None:
    world = World()
    world.monitor.unhook_calls()
    world.monitor.end_window(0, 1)
    assert world.windows == []


def test_a_process_is_looked_at_while_it_lives() -> None:
    pid, start = living()
    world = World(batch((key(pid, start=start), counts(tx=1))))
    world.monitor.end_window(0, 1)
    assert world.services() == [world.identities.owner(pid).service]
    assert world.monitor.figures.unread == 0


def test_of_one_that_has_ended_the_kernel_has_told() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    world = World(ended(gone.pid, "curl"))
    world.monitor.end_window(0, 1)
    assert world.services() == ["curl"]
    assert world.monitor.figures.unread == 1


def test_another_process_of_the_same_number_is_not_taken_for_it() -> None:
    pid, start = living()
    batches = batch(
        (key(pid, start=start - 1), counts(tx=1)),
        owners=[(process_id(pid, start - 1), owner("earlier", pid=pid))],
    )
    world = World(batches)
    world.monitor.end_window(0, 1)
    assert world.services() == ["earlier"]


def test_what_is_read_of_processes_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_READ", 0)
    pid, start = living()
    named = [(process_id(pid, start), owner("me", pid=pid))]
    world = World(batch((key(pid, start=start), counts(tx=1)), owners=named))
    world.monitor.end_window(0, 1)
    assert (world.services(), world.monitor.figures.unread) == (["me"], 1)


def test_processes_are_remembered_and_forgotten() -> None:
    pid, start = living()
    flow = batch((key(pid, start=start), counts(tx=1)))
    world = World(flow, flow, batch(), batch(), flow)
    read: list[int] = []
    once = world.identities.owner
    world.identities.owner = lambda pid: read.append(pid) or once(pid)  # type: ignore[method-assign]
    for number in range(5):
        world.monitor.end_window(number, number + 1)
    assert len(read) == 2
    world.session.batches = [flow]
    world.identities.set_rules([Rule("ruled", comm="*")])
    world.monitor.renew()
    world.monitor.end_window(5, 6)
    assert world.services() == ["ruled"]
