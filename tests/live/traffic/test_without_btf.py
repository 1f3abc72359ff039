"""Traffic as on a kernel without BTF: kprobes that bcc has compiled against the headers."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests import bcc, needed
from tests.bcc import WITHOUT_BTF
from tests.live.traffic.puppet import puppet
from tests.live.traffic.recorded import recording
from tests.live.traffic.test_namespaces import check_hosts_on_a_switch

BACKEND = "kprobe"


@pytest.fixture(autouse=True)
def _by_bcc() -> None:
    bcc.skip_without_own_headers()
    needed.skip_without(f"traffic_{BACKEND}")


@pytest.mark.parametrize("family", [4, 6])
def test_hosts_on_a_switch(family: int) -> None:
    check_hosts_on_a_switch(family, BACKEND, WITHOUT_BTF)


def test_an_older_connection_has_its_role_and_loses_one_receive_at_most() -> None:
    with ExitStack() as stack:
        server, client = (stack.enter_context(puppet(name)) for name in ("server", "client"))
        port = server.listen("listener", "127.0.0.1")
        client.connect("c", "127.0.0.1", port)
        server.accept("s", "listener")
        running = stack.enter_context(recording(BACKEND, module=WITHOUT_BTF))
        for size in (1_000, 20_000):
            client.send("c", size)
            server.receive("s", size)
        client.close("c")
        assert server.receive("s", 1) == 0
        server.close("s")
        recorded = running.stop()
    sent, received = recorded.one(pid=client.pid), recorded.one(pid=server.pid)
    assert (sent.role, sent.tx_bytes) == ("client", 21_000)
    assert (received.role, received.local_port, received.rx_bytes) == ("server", port, 20_000)
