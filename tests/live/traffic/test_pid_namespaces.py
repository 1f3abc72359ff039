"""ebprof in a PID namespace of its own: others have a name, a role, and no number."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live.traffic.puppet import Puppet, puppet
from tests.live.traffic.recorded import Flow, recording

START_SECONDS = 20
NESTED = ("unshare", "--pid", "--fork")
PAIRS = (("inside", "outside"), ("outside", "inside"), ("outside", "outside"), ("nested", "inside"))
# Whose hook of receives knows how far a socket was read, not what a call took: of one that no
# process in our namespace leads to, and older than ebprof, the first receive is not counted.
SEES_POSITIONS = "fentry", "kprobe"
# Before Linux 6.5 only the number of who is in a call is known, and none of a namespace below.
KNOWS_ALL = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 5)


@dataclass(frozen=True, slots=True)
class Pair:
    """A client and a server, where they are, and the server's port."""

    client: Puppet
    server: Puppet
    places: tuple[str, str]
    port: int


def test_processes_outside_are_known_by_name(backend: str) -> None:
    with ExitStack() as stack:
        within = stack.enter_context(namespace())
        words = {"inside": within, "outside": (), "nested": (*within, *NESTED)}
        old = [connected(stack, places, words) for places in PAIRS]
        running = stack.enter_context(recording(backend, within=within))
        pairs = [*old, *(connected(stack, places, words) for places in PAIRS)]
        for pair in pairs:
            pair.client.send("c", 300)
            pair.server.receive("s", 300)
            pair.server.send("s", 20)
            pair.client.receive("c", 20)
        recorded = running.stop()
        for pair in pairs:
            asked = recorded.one(role="client", peer_port=pair.port)
            served = recorded.one(role="server", local_port=pair.port)
            assert (asked.tx_bytes, asked.rx_bytes) == (300, 20)
            is_late = pair in old and pair.places[1] == "outside" and backend in SEES_POSITIONS
            assert (served.tx_bytes, served.rx_bytes) == (20, 0 if is_late else 300)
            check_process(asked, pair.client, pair.places[0])
            check_process(served, pair.server, pair.places[1])
        assert recorded.stats["counters"]["outside"] >= 4


def connected(stack: ExitStack, places: tuple[str, str], words: dict[str, Sequence[str]]) -> Pair:
    """A client's "c" and a server's "s"."""
    client, server = (stack.enter_context(puppet(one, within=words[one])) for one in places)
    port = server.listen("listener", "127.0.0.1")
    client.connect("c", "127.0.0.1", port)
    server.accept("s", "listener")
    return Pair(client, server, places, port)


def check_process(flow: Flow, process: Puppet, place: str) -> None:
    """It has its name, and the number that it has in the namespace."""
    assert flow.comm == place
    expected = None if place == "outside" else numbers(process.pid)[1]
    assert flow.pid == expected or (flow.pid is None and not KNOWS_ALL)


def numbers(pid: int) -> list[int]:
    """The PIDs of the command in the end that a command of this PID started, the host's first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    if children:
        return numbers(int(children[0]))
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return [int(n) for line in status if line.startswith("NSpid:") for n in line.split()[1:]]


@contextmanager
def namespace() -> Iterator[Sequence[str]]:
    """A PID namespace with /proc; gives words that run the command after them in there."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sleep", "infinity"]
    with subprocess.Popen(command) as started:
        try:
            first = _first_process(started.pid)
            yield ("nsenter", f"--target={first}", "--pid", "--mount")
        finally:
            started.kill()


def _first_process(pid: int) -> int:
    deadline = time.monotonic() + START_SECONDS
    while True:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if words and Path(f"/proc/{words[0]}/comm").read_text() == "sleep\n":
            return int(words[0])
        assert time.monotonic() < deadline
        time.sleep(0.01)
