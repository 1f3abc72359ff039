"""An agent of six hours: whatever comes and goes, its memory has an end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pytest

from ebprof.agent import monitor as monitor_module
from ebprof.agent import owners as owners_module
from ebprof.agent.collectors import Outcome
from ebprof.agent.identities import Identities
from ebprof.agent.monitor import AgentMonitor
from ebprof.agent.packer import Packer
from ebprof.agent.protocols import ebprof
from ebprof.agent.pusher import Pusher
from ebprof.agent.spool import Spool
from ebprof.agent.traffic import TrafficMonitor
from ebprof.bpf.traffic import FlowBatch
from ebprof.sampling import retention as retention_module
from ebprof.walls import Walls
from tests.sizes import size_of
from tests.slow import IS_SLOW
from tests.unit.agent.fakes import counters
from tests.unit.sampling.simulated import Machine
from tests.unit.traffic.batches import FakeSession, batch, counts, key, owner, process

WINDOW_S = 10
WINDOWS, KEPT_WINDOWS, MAX_PROCESSES = (
    (2160, retention_module.KEPT_WINDOWS, owners_module._MAX_PROCESSES)
    if IS_SLOW
    else (240, 6, 1000)
)
PROCESSES = 20
"""That are new in each window."""
CALLERS = 50
"""The same in each drain, with the same number: they are told apart by their starts."""
PID = 4_000_000
PATIENCE_S = 60.0


class Calls(FakeSession):
    """Each drain brings flows of processes and peers that were never seen before."""

    drains = 0

    def drain(self) -> FlowBatch:
        self.drains += 1
        starts = range(CALLERS * self.drains, CALLERS * (self.drains + 1))
        flows = ((key(PID, peer=self.peer(one), start=one), counts(tx=1)) for one in starts)
        told = ((process(PID, start=one), owner(f"p{one}", pid=PID)) for one in starts)
        return batch(*flows, owners=told)

    @staticmethod
    def peer(number: int) -> str:
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Taking:
    """Collectors that take all that is pushed."""

    wait_s = 0.0
    problem = ""

    def __init__(self) -> None:
        self.pushes = 0

    def push(self, body: bytes, kind: object) -> Outcome:
        self.pushes += 1
        return Outcome.ACCEPTED


def test_memory_of_six_hours_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With EBPROF_SLOW=1 all 2,160 windows of ten seconds; else a ninth, forgotten sooner."""
    machine, session, taking = Machine(monkeypatch), Calls(), Taking()
    monkeypatch.setattr(monitor_module, "time", machine.clock)
    monkeypatch.setattr(retention_module, "KEPT_WINDOWS", KEPT_WINDOWS)
    monkeypatch.setattr(owners_module, "_MAX_PROCESSES", MAX_PROCESSES)
    counted, walls, identities = counters(), Walls(), Identities("n", ())
    spool = Spool(tmp_path, 1 << 30, counted)
    packer = Packer(spool, identities, counted, walls, print, ebprof)
    pusher = Pusher(spool, cast(Any, taking), counted, print)
    traffic = TrafficMonitor(session, identities, "n", walls, packer.put)
    sizes: list[int] = []
    with machine.run() as run:
        monitor = AgentMonitor(
            run,
            WINDOW_S,
            packer.put,
            clock=lambda: round(machine.clock.now * 1e9),
            monotonic_ns=lambda: round(machine.clock.now * 1e9),
            companion=traffic,
            sleep=lambda _: None,
        )
        monitor.begin()
        for number in range(1, WINDOWS + 1):
            for _ in machine.live(PROCESSES, lambda one: machine.opened + one % 3):
                pass
            machine.clock.now = number * WINDOW_S + 1010
            monitor.tick()
            if number % (WINDOWS // 10) == 0:
                settle(monitor, counted, number)
                sizes.append(size_of([monitor, packer, pusher, traffic]))
        monitor.stop()
        monitor.finish()
        packer.finish(PATIENCE_S)
        pusher.finish(PATIENCE_S)
    assert counted.value("window_samples_total") == 2 * PROCESSES * WINDOWS
    assert counted.value("window_flows_total") == CALLERS * session.drains
    assert taking.pushes >= 2 * WINDOWS and len(spool) == 0
    assert max(sizes[5:]) < 1.2 * max(sizes[2:5]), sizes


def settle(monitor: AgentMonitor, counted: Any, windows: int) -> None:
    """Wait until what was sampled is packed."""
    end = time.monotonic() + PATIENCE_S
    while counted.value("windows_total") < windows and time.monotonic() < end:
        time.sleep(0.01)
        monitor.tick()
