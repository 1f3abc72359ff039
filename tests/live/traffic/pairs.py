"""A client and a server with one connection, as many scenarios have them."""

from __future__ import annotations

from tests.live.traffic.puppet import Puppet
from tests.live.traffic.recorded import Recorded
from tests.live.traffic.scenarios import Steps

ADDRESSES = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


def connect(client: Puppet, server: Puppet, address: str = "127.0.0.1") -> int:
    """Connect `client`'s socket "c" to `server`'s "s"; returns the port."""
    port = server.listen("listener", address)
    client.connect("c", address, port)
    server.accept("s", "listener")
    return port


def moved(recorded: Recorded, process: Puppet) -> tuple[int, int]:
    """Bytes that a process sent and received, whatever it did it as."""
    flows = recorded.having(pid=process.pid)
    return sum(flow.tx_bytes for flow in flows), sum(flow.rx_bytes for flow in flows)


def connecting(client: Puppet, server: Puppet, when: str) -> Steps:
    """The first steps of a scenario: connected "before" ebprof starts, or "while" it runs."""
    if when == "before":
        connect(client, server)
    yield
    if when == "while":
        connect(client, server)


def share(parent: Puppet, server: Puppet) -> Puppet:
    """A child that has called on its parent's connection in turns with it, and has ended: 10,000
    bytes are the parent's, 5,000 and the 300 that came back are the child's.
    """
    child = parent.fork()
    for _ in range(10):
        parent.send("c", 1_000)
        server.receive("s", 1_000)
        child.send("c", 500)
        server.receive("s", 500)
        server.send("s", 30)
        child.receive("c", 30)
    child.end()
    return child
