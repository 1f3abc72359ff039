"""Windows on their way to a disk that may be slow."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ebprof.agent import packer as module
from ebprof.agent.identities import Identities
from ebprof.agent.kinds import FLOWS
from ebprof.agent.packer import Packer
from ebprof.agent.protocols import ebprof
from ebprof.agent.pushes import Push
from ebprof.agent.spool import Spool
from ebprof.walls import Walls
from tests.flow_windows import Process, flow, window
from tests.unit.agent.fakes import counters

PATIENCE_S = 60.0


class SlowSpool(Spool):
    """Writes nothing until it may."""

    def __init__(self, directory: Path) -> None:
        self.may_write = threading.Event()
        super().__init__(directory, 1 << 20, counters())

    def write(self, push: Push) -> None:
        assert self.may_write.wait(PATIENCE_S)
        super().write(push)


def test_flows_that_wait_for_the_disk_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_FLOWS", 10)
    spool, counted = SlowSpool(tmp_path), counters()
    packer = Packer(spool, Identities("n", ()), counted, Walls(), lambda text: None, ebprof)
    sizes = (4, 5, 2, 1, 3)
    for size in sizes:
        packer.put(window(*[flow(Process("a"), tx=1)] * size))
    assert counted.values("dropped_flows_total") == {"late": 2 + 3}
    spool.may_write.set()
    packer.finish(PATIENCE_S)
    assert counted.value("window_flows_total") == 4 + 5 + 1
    assert counted.value("windows_total") == 0
    kinds = []
    while (entry := spool.hold(0)) is not None:
        kinds.append((entry.kind, entry.amount))
        spool.remove(entry)
    assert kinds == [(FLOWS, 4), (FLOWS, 5), (FLOWS, 1)]
