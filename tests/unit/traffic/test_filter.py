"""What the command line's options select."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import Any

import pytest

from ebprof.errors import NoTargetError
from ebprof.identity.placement import Placement, place
from ebprof.identity.processes import Processes
from ebprof.traffic.endpoint import parse_endpoint
from ebprof.traffic.filter import FlowFilter
from tests.flows import CONTAINER
from tests.unit.traffic.batches import (
    CLIENT,
    FLOW_KEY,
    OWNER,
    PROCESS_ID,
    SERVER,
    UNKNOWN,
    joined,
    key,
    owner,
    process,
)

CALLER = key(1, local="10.0.0.1", peer="10.0.0.2", peer_port=6379, role=CLIENT)
SERVICE = key(2, local="10.0.0.2", peer="10.0.0.1", local_port=6379, role=SERVER)
PASSED = key(3, local="10.0.0.2", peer="10.0.0.1", local_port=6379, peer_port=40001, role=UNKNOWN)
OTHER = key(4, local="10.0.0.2", peer="10.0.0.9", peer_port=5432, role=CLIENT)
SIX = key(5, local="fd00::2", peer="fd00::1", local_port=6379, role=SERVER)
FLOWS = joined([CALLER, SERVICE, PASSED, OTHER, SIX], FLOW_KEY)
ENDS = {name: parse_endpoint(name) for name in (":6379", "10.0.0.2", "10.0.0.1", "10.0.0.1:40001")}


def known_processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    places = {
        2: place("/web"),
        3: place("/web/worker"),
        4: Placement(("/", "/web"), "/web"),
        5: place(f"/docker/{CONTAINER}"),
    }
    monkeypatch.setattr(
        Processes, "_find_placement", lambda self, pid, *_: places.get(pid, place("/other"))
    )
    return Processes()


def selected(monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[int]:
    processes = known_processes(monkeypatch)
    known = [(process(pid), owner(f"name-{pid}")) for pid in (3, 1, 2, 4, 5)]
    rows = processes.identify(
        joined((one for one, _ in known), PROCESS_ID),
        joined((one for _, one in known), OWNER),
        FLOWS["process"],
    )
    wanted = FlowFilter(**options).matches(FLOWS, rows, processes)
    found: list[int] = FLOWS["process"]["number"][wanted].tolist()
    return found


@pytest.mark.parametrize(
    ("options", "pids"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"pids": (2, 5)}, [2, 5]),
        ({"comm": "name-3"}, [3]),
        ({"comm": "name"}, []),
        ({"cgroup": "web"}, [2, 3, 4]),
        ({"cgroup": "/web/worker"}, [3]),
        ({"container": CONTAINER}, [5]),
        ({"container": CONTAINER[:12]}, []),
        ({"port": 6379}, [1, 2, 3, 5]),
        ({"port": 40001}, [3]),
        ({"family": 6}, [5]),
        ({"family": 4}, [1, 2, 3, 4]),
        ({"role": "server"}, [2, 5]),
        ({"role": "client"}, [1, 4]),
        ({"destination": ENDS[":6379"]}, [1, 2, 3, 5]),
        ({"destination": ENDS["10.0.0.2"]}, [1, 2, 3]),
        ({"destination": ENDS["10.0.0.1"]}, [3]),
        ({"source": ENDS["10.0.0.1"]}, [1, 2, 3]),
        ({"source": ENDS["10.0.0.2"]}, [3, 4]),
        ({"source": ENDS["10.0.0.1:40001"]}, [3]),
        ({"source": ENDS["10.0.0.1"], "destination": ENDS["10.0.0.1"]}, []),
        ({"source": ENDS["10.0.0.1"], "destination": ENDS[":6379"], "pids": (2,)}, [2]),
    ],
    ids=str,
)
def test_selection(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], pids: list[int]
) -> None:
    assert selected(monkeypatch, **options) == pids


def test_long_name_is_cut_as_the_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = known_processes(monkeypatch)
    rows = processes.identify(process(1), owner("a-very-long-name"[:15]), CALLER["process"])
    assert FlowFilter(comm="a-very-long-name").matches(CALLER, rows, processes).all()


def test_a_clients_port_cannot_be_selected_and_that_is_said() -> None:
    (note,) = FlowFilter(source=ENDS["10.0.0.1:40001"]).notes()
    assert "40001" in note and "--from" in note
    assert FlowFilter(source=ENDS["10.0.0.1"], destination=ENDS[":6379"]).notes() == ()


def test_process_that_does_not_exist() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    with pytest.raises(NoTargetError, match=f"PID {child.pid}: no such process"):
        FlowFilter(pids=(os.getpid(), child.pid)).checked()
    FlowFilter(pids=(os.getpid(),)).checked()


def test_thread_is_no_process() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        with pytest.raises(NoTargetError, match="is a thread of PID") as raised:
            FlowFilter(pids=(thread.native_id,)).checked()
        assert raised.value.hint == f"use -p {os.getpid()}"
    finally:
        stop.set()
        thread.join()


def test_cgroup_that_does_not_exist() -> None:
    with pytest.raises(NoTargetError, match="no cgroup 'no-such-cgroup'"):
        FlowFilter(cgroup="no-such-cgroup").checked()
