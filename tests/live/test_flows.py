"""Flows from sockets to answers: agent, collector and store, with callers whose bytes are known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import collector_extra
from tests.agents import Agent
from tests.collecting import Running
from tests.live.traffic.puppet import Puppet, exchange, puppet

collector_extra.need()
PATIENCE_S = 120
WINDOW_S = 2
NAMES = ("store", "shop", "cron", "alpha", "beta", "flood")
ATTEMPTS, SETTLED_S = 10, 10


class Watched:
    """A collector, and an agent that pushes to it; processes of NAMES are services of these."""

    def __init__(self, collector: Running, agent: Agent) -> None:
        self.collector = collector
        self.agent = agent

    def flows(self, by: str, query: str = "{}", **parameters: object) -> list[dict[str, Any]]:
        answer = self.collector.get("/api/v1/flows", by=by, query=query, **parameters)
        assert answer.status == 200, answer.body
        rows: list[dict[str, Any]] = answer.json["rows"]
        return rows

    def sent(self, port: int) -> dict[tuple[str, str], tuple[int, int, int]]:
        """By service and peer: bytes sent and received, connections; of a server's port."""
        rows = self.flows("service,peer_service", f'{{port="{port}"}}')
        return {
            (row["service"], row["peer_service"]): (
                row["tx_bytes"],
                row["rx_bytes"],
                row["connections"],
            )
            for row in rows
        }


@contextmanager
def watching(path: Path, *options: str) -> Iterator[Watched]:
    rules = "\n".join(f'[[service]]\nname = "{name}"\ncomm = "{name}"' for name in NAMES)
    (path / "agent.toml").write_text(rules)
    with Running(path / "data") as collector:
        collector.wait_until_ready()
        given = ("--config", str(path / "agent.toml"), "--node", "here", *options)
        url = f"http://127.0.0.1:{collector.port}"
        with Agent(url, spool=path / "spool", options=given) as agent:
            wait_until(lambda: agent.metric("windows_total") > 0)
            yield Watched(collector, agent)


def wait_until(condition: Any) -> float:
    """Seconds that it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() < start + PATIENCE_S
        time.sleep(0.1)
    return time.monotonic() - start


def call(client: Puppet, server: Puppet, port: int, sent: int, answered: int) -> None:
    exchange(client, server, ("127.0.0.1", port), sent, answered)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    path = tmp_path_factory.mktemp("flows")
    words = f"--interval {WINDOW_S}s --frequency 1 --cpu-budget 100 --memory-budget 4096"
    with watching(path, *words.split()) as found:  # what is counted does not depend on the load
        yield found


def test_who_calls_whom_is_exact(watched: Watched) -> None:
    """Two callers of one server on loopback, over several windows; one of them stays connected."""
    with puppet("store") as store, puppet("shop") as shop, puppet("cron") as cron:
        port = store.listen("listener", "127.0.0.1")
        shop.connect("stays", "127.0.0.1", port)
        store.accept("stays", "listener")
        for number in range(1, 7):
            call(shop, store, port, 1000 * number, 3)
            call(cron, store, port, 7, 100_000)
            shop.send("stays", 10)
            store.receive("stays", 10)
            time.sleep(WINDOW_S / 3)
        expected = {
            ("shop", "store"): (21_000 + 60, 18, 7),
            ("store", "shop"): (18, 21_000 + 60, 7),
            ("cron", "store"): (42, 600_000, 6),
            ("store", "cron"): (600_000, 42, 6),
        }
        wait_until(lambda: watched.sent(port) == expected)
        time.sleep(2 * WINDOW_S)
        assert watched.sent(port) == expected
        (row, *others) = watched.flows("pid,peer_pid,role", f'{{port="{port}",process="cron"}}')
        assert (row["pid"], row["peer_pid"], row["role"]) == (cron.pid, store.pid, "client")
        assert others == []


def test_services_behind_one_address_do_not_mix(watched: Watched) -> None:
    """One after another on a port, and both at once (SO_REUSEPORT)."""
    with puppet("alpha") as alpha, puppet("beta") as beta, puppet("shop") as shop:
        port = alpha.listen_with("listener", "127.0.0.1", reuse_port=1)
        call(shop, alpha, port, 1000, 1)
        beta.listen_with("listener", "127.0.0.1", port, reuse_port=1)
        sizes = {alpha: 1000, beta: 0}
        for number in range(1, 17):
            shop.connect("c", "127.0.0.1", port)
            shop.send("c", number)
            taker = alpha if alpha.can_accept("listener") else beta
            taker.accept("s", "listener")
            taker.receive("s", number)
            shop.close("c")
            assert taker.receive("s", 1) == 0
            taker.close("s")
            sizes[taker] += number
        alpha.close("listener")
        call(shop, beta, port, 100_000, 1)
        sizes[beta] += 100_000

        def received() -> dict[str, int]:
            rows = watched.flows("service", f'{{port="{port}",role="server",peer_service="shop"}}')
            return {row["service"]: row["rx_bytes"] for row in rows}

        expected = {"alpha": sizes[alpha], "beta": sizes[beta]}
        wait_until(lambda: received() == expected)
        rows = watched.flows("peer_service", f'{{port="{port}",service="shop"}}')
        assert {row["peer_service"]: row["tx_bytes"] for row in rows} == expected


def test_all_windows_are_what_the_agent_counted(watched: Watched) -> None:
    """Its counters are those of the windows that have ended; one may end while we look."""
    for _ in range(ATTEMPTS):
        counted = counters_of(watched.agent)
        until = int(time.time()) // WINDOW_S * WINDOW_S
        end = time.monotonic() + SETTLED_S
        while time.monotonic() < end:
            if stored_until(watched, until) == counted:
                return
            time.sleep(0.5)
    pytest.fail(f"stored {stored_until(watched, until)}, counted {counted}")


def counters_of(agent: Agent) -> list[float]:
    """Bytes sent and received, and connections, of all flows."""
    sent, received = (
        agent.metric(f'flow_bytes_total{{direction="{way}"}}') for way in ("tx", "rx")
    )
    return [sent, received, agent.metric("flow_connections_total")]


def stored_until(watched: Watched, until: int) -> list[float]:
    """The same of windows that began before."""
    rows = watched.flows("node", '{node="here"}', from_=until - 3600, to=until)
    return [sum(row[name] for row in rows) for name in ("tx_bytes", "rx_bytes", "connections")]


def test_an_unknown_caller_that_floods_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with watching(tmp_path) as watched, puppet("store") as store, puppet("flood") as flood:
        port = store.listen("listener", "127.0.0.1")
        store.serve("listener")
        flood.connect("c", "127.0.0.1", port)
        flood.flood("c", 1000, 0.01)

        def is_named() -> bool:
            rows = watched.flows(
                "service,peer_service", f'{{port="{port}",role="server"}}', from_="now-5m"
            )
            return [row["peer_service"] for row in rows] == ["flood"] and rows[0]["rx_bytes"] > 0

        took = wait_until(is_named)
        with capsys.disabled():
            print(f"\nan unknown caller was named after {took:.1f} s")
