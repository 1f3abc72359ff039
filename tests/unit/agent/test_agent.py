"""A whole agent with a run that needs no kernel: what is sampled comes to the collector, once."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from signal import SIGHUP
from typing import Any

import pytest

from ebprof.address import Address
from ebprof.agent import agent as module
from ebprof.agent import budget
from ebprof.agent.agent import Agent, Summary
from ebprof.agent.identities import Identities
from ebprof.agent.options import AgentOptions
from ebprof.agent.services import Rule
from ebprof.bpf.traffic import FlowBatch
from ebprof.errors import BadFileError, EbprofError
from ebprof.signals import SignalNotes
from tests.notified import systemd
from tests.unit.agent.fakes import FakeCollector, FakeRun
from tests.unit.traffic.batches import FakeSession, batch, counts, key

PATIENCE_S = 60.0
NOBODY = "http://127.0.0.1:9"


class Feeding(FakeRun):
    """Takes a sample at each tick, and ends the agent after some windows, or when told to."""

    def __init__(self, windows: int, until: Callable[[], bool] = lambda: True) -> None:
        super().__init__()
        self._windows = windows
        self._until = until
        self._end = time.monotonic() + PATIENCE_S

    def tend(self) -> bool:
        self.pending.append("main;f")
        is_over = self.takes >= self._windows and self._until()
        if is_over or time.monotonic() > self._end:
            os.kill(os.getpid(), signal.SIGINT)
        return super().tend()


def options(tmp_path: Path, *urls: str, **fields: Any) -> AgentOptions:
    return AgentOptions(
        urls, Address("127.0.0.1", 0), interval_s=0.2, spool=tmp_path / "spool", node="n", **fields
    )


def run(
    feeding: FakeRun,
    given: AgentOptions,
    said: list[str] | None = None,
    traffic: FakeSession | None = None,
) -> Summary:
    say: list[str] = [] if said is None else said
    try:
        identities = Identities("n", ())
        return Agent(feeding, identities, given, say.append, traffic=traffic).run()
    finally:
        feeding.close()


def test_what_is_sampled_is_pushed(tmp_path: Path) -> None:
    with FakeCollector() as collector:
        done = run(Feeding(3), options(tmp_path, collector.url))
        assert done.samples > 3 and (done.lost, done.waiting, done.dropped) == (0, 0, {})
        assert collector.total == done.samples == done.spooled
        assert collector.seen[0]["content-type"] == "application/proto"
        assert "authorization" not in collector.seen[0]


class Talking(FakeSession):
    """Has a flow of a byte at each drain."""

    drains = 0

    def drain(self) -> FlowBatch:
        self.drains += 1
        return batch((key(1), counts(tx=1)))


@pytest.mark.parametrize("knows_flows", [True, False])
def test_flows_are_pushed_beside_samples(tmp_path: Path, knows_flows: bool) -> None:
    said: list[str] = []
    session = Talking()
    with FakeCollector() as collector:
        collector.knows_flows = knows_flows
        done = run(Feeding(3), options(tmp_path, collector.url), said, session)
        assert collector.total == done.samples and (done.waiting, done.dropped) == (0, {})
        sent = [int(one.flows["tx_bytes"].sum()) for one in collector.flows.values()]
    if knows_flows:
        assert session.drains >= 4 and sum(sent) == session.drains
        assert (said, done.dropped_flows) == ([], {})
    else:
        assert sent == [] and done.dropped_flows["refused"] >= 3
        assert len(said) == 1 and "404" in said[0]


class Costly(Talking):
    """Takes a minute of CPU time a drain, as long as calls are counted."""

    seconds = 0.0

    def overhead(self) -> tuple[int, float]:
        self.seconds += 60 * self.counts_calls
        return 5, self.seconds


def test_calls_that_cost_too_much_are_counted_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    monkeypatch.setattr(budget, "SPAN_S", 0.1)
    said: list[str] = []
    session = Costly()
    with FakeCollector() as collector:
        until = Feeding(3, lambda: not session.counts_calls)
        given = options(tmp_path, collector.url, budget=budget.Budget(10, 1 << 40))
        run(until, given, said, session)
        assert "without_calls" in [name for one in collector.flows.values() for name in one.losses]
    assert not session.counts_calls
    assert said == [
        "warning: counting calls takes more of a CPU than it may: flows have bytes only from now on"
        ": docs/agent.md"
    ]


def test_what_is_refused_for_now_is_pushed_again(tmp_path: Path) -> None:
    said: list[str] = []
    with FakeCollector(503, 429) as collector:
        done = run(Feeding(3, lambda: collector.total > 0), options(tmp_path, collector.url), said)
        assert collector.total == done.samples and done.waiting == 0
        assert collector.tried[0] == collector.tried[1] == collector.tried[2]
    assert "answers 503" in said[0] and said[-1] == "the collector takes pushes again"


def test_what_is_refused_for_good_is_counted(tmp_path: Path) -> None:
    with FakeCollector(400) as collector:
        done = run(Feeding(3), options(tmp_path, collector.url))
        assert 0 < collector.total < done.samples
        assert done.waiting == 0
        assert len(collector.tried) == len(set(collector.tried))


def test_what_nobody_takes_waits_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PUSH_S", 0.5)
    first = run(Feeding(3), options(tmp_path, NOBODY))
    assert first.waiting >= 3 and first.spooled == first.samples
    monkeypatch.setattr(module, "PUSH_S", PATIENCE_S)
    with FakeCollector() as collector:
        second = run(Feeding(1), options(tmp_path, collector.url))
        assert second.waiting == 0
        assert collector.total == first.samples + second.samples


def test_a_token_is_sent_and_asked_for_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with FakeCollector() as collector:
        with pytest.raises(BadFileError):
            run(Feeding(1), options(tmp_path, collector.url, token_file=path))
        path.write_text("secret\n")
        run(Feeding(1), options(tmp_path, collector.url, token_file=path))
        assert {one["authorization"] for one in collector.seen} == {"Bearer secret"}


def test_windows_that_the_disk_does_not_take_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ebprof.durable.write_file", full)
    said: list[str] = []
    with FakeCollector() as collector:
        done = run(Feeding(2), options(tmp_path, collector.url), said)
    assert done.samples > 0 and done.spooled == 0
    assert done.dropped == {"disk": done.samples}
    assert said == ["warning: the spool cannot be written: no space left on device"]


def test_windows_behind_a_disk_that_hangs_are_counted_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(module, "PACK_S", 0.5)
    monkeypatch.setattr("ebprof.durable.write_file", lambda *_: answers.wait(PATIENCE_S))
    with FakeCollector() as collector:
        done = run(Feeding(5), options(tmp_path, collector.url))
        answers.set()
    assert 0 < done.dropped["late"] < done.samples
    assert done.spooled == 0


def test_pages(tmp_path: Path) -> None:
    feeding = FakeRun()
    with FakeCollector() as collector:
        agent = Agent(feeding, Identities("n", ()), options(tmp_path, collector.url), print)
        pages: dict[str, tuple[int, str]] = {}

        def look() -> None:
            for path in ("/metrics", "/-/healthy", "/etc/passwd"):
                pages[path] = _get(agent.place.url + path)
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(1.5, look)
        timer.start()
        feeding.pending = ["main;f"] * 5
        agent.run()
        timer.join()
        feeding.close()
    assert [pages[path][0] for path in ("/-/healthy", "/etc/passwd")] == [200, 404]
    status, text = pages["/metrics"]
    assert status == 200
    assert "ebprof_agent_samples_total 5\n" in text
    assert 'ebprof_agent_stops_total{reason="complete"} 5\n' in text
    assert re.search(r'ebprof_agent_pushes_total{result="accepted"} [1-9]', text)
    waiting = re.search(r"^ebprof_agent_spool_bytes (\d+)$", text, re.MULTILINE)
    assert waiting and int(waiting[1]) < 4096, "a window or two wait for their turn"
    wanted = ("lost_total", "cpu_seconds_total", "resident_bytes")
    assert all(f"\nebprof_agent_{name} " in text for name in wanted)


def test_an_address_in_use_leaves_the_spool_to_others(tmp_path: Path) -> None:
    feeding = FakeRun()
    with FakeCollector() as collector:
        port = int(collector.url.rpartition(":")[2])
        given = AgentOptions((NOBODY,), Address("127.0.0.1", port), spool=tmp_path)
        for _ in range(2):
            with pytest.raises(EbprofError, match="cannot listen"):
                Agent(feeding, Identities("n", ()), given, print)
    feeding.close()


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_options_are_read_anew(tmp_path: Path) -> None:
    said: list[str] = []
    answers: list[AgentOptions | EbprofError] = []
    with FakeCollector() as first, FakeCollector() as second, SignalNotes(SIGHUP) as hang_ups:
        given = options(tmp_path, first.url)
        answers = [
            BadFileError("agent.toml:1: unknown option 'x'"),
            replace(
                given,
                collectors=(second.url,),
                frequency=49,
                rules=(Rule("web", comm="nginx"),),
                interval_s=7.0,
            ),
        ]

        def reread() -> AgentOptions:
            answer = answers.pop(0)
            if isinstance(answer, EbprofError):
                raise answer
            return answer

        class HangingUp(Feeding):
            def tend(self) -> bool:
                if answers and self.takes > 2 - len(answers):
                    os.kill(os.getpid(), SIGHUP)
                return super().tend()

        feeding = HangingUp(4, lambda: second.total > 0)
        identities = Identities("n", ())
        agent = Agent(feeding, identities, given, said.append, hang_ups, reread)
        done = agent.run()
        feeding.close()
        assert first.total > 0 and first.total + second.total == done.samples
    assert said == [
        "warning: the options stay as they were: agent.toml:1: unknown option 'x'",
        "the options were read anew; from the next start on: interval",
    ]
    assert feeding.frequencies == [49] and feeding.renewals == 1
    text = agent.metrics()
    assert 'ebprof_agent_reloads_total{result="done"} 1\n' in text
    assert 'ebprof_agent_reloads_total{result="refused"} 1\n' in text


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with systemd(tmp_path, monkeypatch, watchdog_s=1000) as listener, FakeCollector() as collector:
        run(Feeding(3), options(tmp_path, collector.url))
        heard = listener.wait_for("STOPPING=1")
    assert heard == ["READY=1", "WATCHDOG=1", "STOPPING=1"]
