"""Who listens, from /proc: this process does."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ebprof.bpf.traffic import Listening
from ebprof.procfs import process
from ebprof.traffic.listening import find_listening
from ebprof.walls import Walls
from tests.unit.traffic import batches


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::")],
)
def test_a_listening_socket_is_found_with_its_process(
    monkeypatch: pytest.MonkeyPatch, family: socket.AddressFamily, address: str
) -> None:
    monkeypatch.setattr(process, "all_processes", lambda: [os.getpid()])
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        found = [one for one in find_listening(Walls()) if one.port == port]
    network = Path("/proc/self/ns/net").stat().st_ino
    key = batches.key(peer=address, local=address)
    local = key["local_address"].tobytes()
    start = process.start_time(os.getpid())
    assert found == [Listening(network, port, key["family"][0], local, os.getpid(), start)]


def test_connected_sockets_and_processes_that_are_gone_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "all_processes", lambda: [1 << 30, os.getpid()])
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            ports = {one.port for one in find_listening(Walls())}
            assert address[1] in ports
            assert client.getsockname()[1] not in ports
