"""How long servers take to answer and clients wait, beside what both measure themselves.

What the kernel measures begins and ends within what a process measures around its calls, by the
same clock, and is no less than what the server sleeps: that holds however busy the machine is.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.traffic.pairs import connect, connecting
from tests.live.traffic.puppet import Puppet, puppet
from tests.live.traffic.recorded import Flow
from tests.live.traffic.scenarios import Finished, Scenarios, Steps

SCENARIOS = Scenarios()
PAUSE_S = 0.02
ASKED, ANSWERED = 30, 400
TIMES = 10
A_TICK_AND_MORE_S = 0.03
ROUNDED_US = 0.1
KEYS = 300_000
PATIENCE_S = 60


def assert_latency(flow: Flow, took: Sequence[float], *, at_least: float = PAUSE_S) -> None:
    """A turn for each of what a process measured, and within that."""
    assert flow.turns == len(took)
    assert flow.latency_mean_us is not None and flow.latency_max_us is not None
    mean, longest = 1e6 * sum(took) / len(took), 1e6 * max(took)
    assert 1e6 * at_least <= flow.latency_mean_us <= mean + ROUNDED_US
    assert 1e6 * at_least <= flow.latency_max_us <= longest + ROUNDED_US
    assert flow.latency_mean_us <= flow.latency_max_us + ROUNDED_US


@SCENARIOS.add_with("before", "while")
def a_server_that_sleeps(when: str) -> Steps:
    with puppet("server") as server, puppet("client") as client:
        yield from connecting(client, server, when)
        server.answer_always("s", ASKED, ANSWERED, PAUSE_S)
        waited = [client.ask("c", [ASKED], 0, ANSWERED) for _ in range(TIMES)]
        took = answers_of(server, TIMES)
        recorded = yield
        assert_latency(recorded.one(pid=client.pid), waited)
        assert_latency(recorded.one(pid=server.pid), took)


def answers_of(server: Puppet, count: int) -> list[float]:
    """A client may have the answer before the server has measured it."""
    deadline = time.monotonic() + PATIENCE_S
    while len(took := server.answered()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return took


@SCENARIOS.add
def one_answer_takes_longer() -> Steps:
    """The mean and the longest differ, by what is known."""
    yield
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        took = []
        for pause in (0.001, 0.001, 0.2, 0.001):
            client.send("c", ASKED)
            took.append(server.answer("s", ASKED, ANSWERED, pause))
            client.receive("c", ANSWERED)
        recorded = yield
        flow = recorded.one(pid=server.pid)
        assert_latency(flow, took, at_least=0.001)
        assert flow.latency_max_us is not None and flow.latency_max_us >= 200_000
        assert flow.latency_mean_us is not None and flow.latency_mean_us >= 50_000


@SCENARIOS.add
def a_question_in_pieces() -> Steps:
    """The last one counts; here they are farther apart than the kernel's ticks."""
    yield
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        server.answer_always("s", 3 * ASKED, ANSWERED, PAUSE_S)
        waited = [client.ask("c", [ASKED] * 3, A_TICK_AND_MORE_S, ANSWERED) for _ in range(TIMES)]
        answers_of(server, TIMES)
        recorded = yield
        assert_latency(recorded.one(pid=client.pid), waited)
        assert recorded.one(pid=server.pid).turns == TIMES


@SCENARIOS.add
def many_questions_before_an_answer() -> Steps:
    """Pipelining: one turn, whatever there is of either."""
    yield
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        start = time.monotonic()
        client.send_many("c", ASKED, 16)
        server.receive("s", 16 * ASKED)
        time.sleep(PAUSE_S)
        server.send_many("s", ANSWERED, 16)
        client.receive("c", 16 * ANSWERED)
        took = time.monotonic() - start
        recorded = yield
        assert_latency(recorded.one(pid=client.pid), [took])
        assert_latency(recorded.one(pid=server.pid), [took])


@SCENARIOS.add
def a_question_of_before() -> Steps:
    """Nobody knows how long it has waited."""
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        client.send("c", ASKED)
        server.receive("s", ASKED)
        yield
        server.send("s", ANSWERED)
        client.receive("c", ANSWERED)
        server.send("s", ANSWERED)
        client.receive("c", ANSWERED)
        recorded = yield
        for one in (server, client):
            flow = recorded.one(pid=one.pid)
            assert (flow.turns, flow.latency_mean_us, flow.latency_max_us) == (0, None, None)


@SCENARIOS.add
def a_server_that_speaks_first() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        server.send("s", ANSWERED)
        client.receive("c", ANSWERED)
        client.send("c", ASKED)
        server.receive("s", ASKED)
        recorded = yield
        assert recorded.one(pid=server.pid).turns == 0
        assert recorded.one(pid=client.pid).turns == 0


@SCENARIOS.add
def a_look_at_the_question_is_no_receive() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        client.send("c", ASKED)
        server.peek("s", ASKED)
        time.sleep(0.1)
        took = server.answer("s", ASKED, ANSWERED, PAUSE_S)
        client.receive("c", ANSWERED)
        recorded = yield
        assert_latency(recorded.one(pid=server.pid), [took])


@SCENARIOS.add
def an_answer_by_sendfile() -> Steps:
    yield
    with puppet("server") as server, puppet("client") as client:
        connect(client, server)
        start = time.monotonic()
        client.send("c", ASKED)
        server.receive("s", ASKED)
        time.sleep(PAUSE_S)
        server.send_file("s", ANSWERED)
        client.receive("c", ANSWERED)
        took = time.monotonic() - start
        recorded = yield
        assert_latency(recorded.one(pid=client.pid), [took])
        assert_latency(recorded.one(pid=server.pid), [took])


@SCENARIOS.add
def workers_that_accept_by_turns() -> Steps:
    """Each has its own turns; the listener has none."""
    yield
    with puppet("server") as server, puppet("client") as client:
        port = server.listen("listener", "127.0.0.1")
        workers = [server.fork(), server.fork()]
        took: list[list[float]] = [[], []]
        for number in (0, 1, 1):
            client.connect("c", "127.0.0.1", port)
            workers[number].accept("s", "listener")
            client.send("c", ASKED)
            took[number].append(workers[number].answer("s", ASKED, ANSWERED, PAUSE_S))
            client.receive("c", ANSWERED)
            client.close("c")
            workers[number].close("s")
        for worker in workers:
            worker.end()
        recorded = yield
        for worker, measured in zip(workers, took, strict=True):
            assert_latency(recorded.one(pid=worker.pid), measured)
        assert recorded.one(pid=client.pid).turns == 3
        assert not recorded.having(pid=server.pid, role="server")


@pytest.mark.parametrize("name", SCENARIOS)
def test_latency(finished: Finished, name: str) -> None:
    finished.check(name)


@contextmanager
def redis(directory: Path) -> Iterator[int]:
    """A server with many keys; its port."""
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        pytest.skip("no redis here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    options = ["--port", str(port), "--save", "", "--enable-debug-command", "yes"]
    words = ["redis-server", *options, "--dir", str(directory)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while "PONG" not in ask_redis(port, "PING"):
                assert time.monotonic() < deadline
            assert "OK" in ask_redis(port, "DEBUG", "POPULATE", str(KEYS))
            yield port
        finally:
            process.terminate()


def ask_redis(port: int, *words: str) -> str:
    command = ["redis-cli", "-p", str(port), *words]
    return subprocess.run(command, capture_output=True, text=True).stdout


def test_who_asks_for_all_keys_comes_first(tmp_path: Path) -> None:
    """Others ask more often, and move more bytes."""
    with redis(tmp_path) as port, socket.create_connection(("127.0.0.1", port)) as busy:
        words = ["traffic", "--json", "--to", f":{port}", "-s", "latency", "-d", "86400"]
        command = [sys.executable, "-m", "ebprof", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
            try:
                while "traffic by" not in process.stderr.readline():
                    assert process.poll() is None
                with subprocess.Popen(
                    ["redis-cli", "-p", str(port), "KEYS", "nothing*"], stdout=subprocess.DEVNULL
                ) as keys:
                    for _ in range(2000):
                        busy.sendall(b"PING\r\n")
                        busy.recv(100)
            finally:
                process.terminate()
                out = process.stdout.read()
        rows = [json.loads(line) for line in out.splitlines()]
        assert (rows[0]["pid"], rows[0]["role"], rows[0]["turns"]) == (keys.pid, "client", 1)
        total = [row["tx_bytes"] + row["rx_bytes"] for row in rows]
        assert total[0] == min(total)
