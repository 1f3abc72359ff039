"""Calls that are not counted for a while: bytes, connections and processes stay exact."""

from __future__ import annotations

import numpy as np
import pytest

from ebprof._native import lib
from ebprof.bpf.traffic import FlowBatch, TrafficSession
from ebprof.errors import UnsupportedError
from ebprof.traffic.backends import all_backends
from tests.live.traffic.puppet import Puppet, puppet

SIZE, CALLS = 1_000, 50


@pytest.fixture
def session(backend: str) -> TrafficSession:
    (found,) = (one for one in all_backends() if one.name == backend)
    return TrafficSession(found.programs)


def sent_by(pid: int, batch: FlowBatch) -> dict[str, int]:
    """What the flows of a process sent."""
    numbers = batch.keys["process"]["number"] & (1 << lib.PID_BITS) - 1
    rows = batch.counts[numbers == pid]
    return {name: int(np.sum(rows[name])) for name in ("tx_bytes", "tx_calls", "opened")}


def connect(client: Puppet, server: Puppet, name: str) -> None:
    port = server.listen(f"listener of {name}", "127.0.0.1")
    client.connect(name, "127.0.0.1", port)
    server.accept(name, f"listener of {name}")


def send(client: Puppet, server: Puppet, name: str) -> None:
    client.send_many(name, SIZE, CALLS)
    server.receive(name, SIZE * CALLS)


def test_bytes_are_exact_whether_calls_are_counted_or_not(session: TrafficSession) -> None:
    with session, puppet("client") as client, puppet("server") as server:
        session.start()
        assert session.can_unhook_calls and session.counts_calls
        connect(client, server, "early")
        send(client, server, "early")
        session.unhook_calls()
        send(client, server, "early")
        connect(client, server, "late")
        send(client, server, "late")
        unhooked = session.drain()
        session.hook_calls()
        for name in ("early", "late"):
            send(client, server, name)
        hooked = session.drain()
        assert session.counters()["untracked"] == 0
    sent = SIZE * CALLS
    assert sent_by(client.pid, unhooked) == {"tx_bytes": 3 * sent, "tx_calls": CALLS, "opened": 2}
    assert sent_by(client.pid, hooked) == {"tx_bytes": 2 * sent, "tx_calls": 2 * CALLS, "opened": 0}


def test_where_one_hook_is_refused_there_is_none(
    session: TrafficSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session, puppet("client") as client, puppet("server") as server:
        session.start()
        session.unhook_calls()
        attach, last = session._object.attach, session._calls[-1]

        def refuse(program: str) -> None:
            if program == last:
                raise UnsupportedError("no")
            attach(program)

        monkeypatch.setattr(session._object, "attach", refuse)
        with pytest.raises(UnsupportedError):
            session.hook_calls()
        connect(client, server, "c")
        send(client, server, "c")
        assert not session.counts_calls
        found = sent_by(client.pid, session.drain())
    assert found == {"tx_bytes": SIZE * CALLS, "tx_calls": 0, "opened": 1}
