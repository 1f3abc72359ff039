"""Whom to push to, when to try again, and what to give up."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult

import pytest

from ebprof.agent.collectors import (
    LONGEST_AFTER_S,
    LONGEST_S,
    Collectors,
    Outcome,
)
from ebprof.agent.kinds import EXPORTS, FLOWS, PROFILES, Kind
from ebprof.agent.sender import Answer, parse_url
from ebprof.errors import BadFileError, UsageError
from ebprof.secret import read_token
from ebprof.wire import otlp
from tests.unit.agent.fakes import counters

URLS = tuple(f"http://c{number}:8080" for number in range(3))


class World:
    """Collectors that answer as `answers` says by host (None: not at all), and a clock."""

    def __init__(self, *urls: str) -> None:
        self.answers: dict[str, Answer | None] = {}
        self.now = 1000.0
        self.asked: list[str] = []
        self.counters = counters()
        self.collectors = Collectors(
            urls or URLS, "node", self.counters, lambda: "", self.send, lambda: self.now
        )

    def send(self, url: SplitResult, body: bytes, token: str, path: str, media_type: str) -> Answer:
        assert url.hostname
        self.asked.append(url.hostname)
        answer = self.answers.get(url.hostname, Answer(200))
        if answer is None:
            raise ConnectionRefusedError(111, "Connection refused")
        return answer

    def push(self, kind: Kind = PROFILES) -> Outcome:
        return self.collectors.push(b"x", kind)

    def count(self, name: str, label: str = "") -> int:
        return self.counters.value(name, label)


def test_a_node_stays_with_one() -> None:
    world = World()
    assert [world.push() for _ in range(5)] == [Outcome.ACCEPTED] * 5
    assert len(set(world.asked)) == 1
    assert (world.count("pushes_total", "accepted"), world.count("failovers_total")) == (5, 0)


def test_nodes_are_spread_and_one_that_goes_moves_its_own() -> None:
    def preferred(node: str, urls: tuple[str, ...]) -> str:
        collectors = Collectors(urls, node, counters(), lambda: "", lambda *_: Answer(200))
        return collectors._targets[0].url.geturl()

    nodes = [f"node-{number}" for number in range(300)]
    before = {node: preferred(node, URLS) for node in nodes}
    assert all(60 < list(before.values()).count(url) < 140 for url in URLS)
    after = {node: preferred(node, URLS[:2]) for node in nodes}
    assert all(after[node] == url for node, url in before.items() if url != URLS[2])


def test_it_fails_over_and_comes_back() -> None:
    world = World()
    world.push()
    first = world.asked[0]
    world.answers[first] = None
    assert world.push() is Outcome.LATER
    assert world.collectors.wait_s == 0
    assert world.push() is Outcome.ACCEPTED
    assert world.asked[-1] != first
    assert (world.count("failovers_total"), world.count("pushes_total", "retried")) == (1, 1)
    world.answers.clear()
    world.now += LONGEST_S
    world.push()
    assert world.asked[-1] == first
    assert world.count("failovers_total") == 1


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_is_refused_is_given_up(status: int) -> None:
    world = World(URLS[0])
    world.answers["c0"] = Answer(status)
    assert world.push() is Outcome.REFUSED
    assert world.collectors.wait_s == 0
    assert str(status) in world.collectors.problem


@pytest.mark.parametrize("status", [None, 301, 401, 403, 404, 408, 429, 500, 503])
def test_what_may_pass_is_tried_again_later_and_later(status: int | None) -> None:
    world = World(URLS[0])
    world.answers["c0"] = None if status is None else Answer(status)
    waits = []
    for _ in range(10):
        assert world.push() is Outcome.LATER
        waits.append(world.collectors.wait_s)
        world.now += world.collectors.wait_s
    for number, wait in enumerate(waits):
        longest = min(LONGEST_S, 2.0**number)
        assert longest / 2 <= wait <= longest + 1e-6
    world.answers.clear()
    assert world.push() is Outcome.ACCEPTED
    world.answers["c0"] = None
    world.push()
    assert world.collectors.wait_s <= 1


@pytest.mark.parametrize(
    ("header", "wait"),
    [("7", 7), ("99999999999999", LONGEST_AFTER_S), ("0", 0.5), ("soon", 0.5), ("-1", 0.5)],
)
def test_retry_after_is_heeded(header: str, wait: float) -> None:
    world = World(URLS[0])
    world.answers["c0"] = Answer(429, header)
    world.push()
    assert wait - 1e-6 <= world.collectors.wait_s <= max(wait, 1) + 1e-6


@pytest.mark.parametrize("status", [404, 405, 501])
def test_flows_are_dropped_by_a_collector_that_does_not_know_them(status: int) -> None:
    world = World(URLS[0])
    world.answers = {"c0": Answer(status)}
    assert world.push(FLOWS) is Outcome.REFUSED and world.collectors.wait_s == 0
    assert "FlowService" in world.collectors.problem
    assert world.push(PROFILES) is Outcome.LATER


def test_without_a_token_that_can_be_read_nothing_is_sent(tmp_path: Path) -> None:
    def token() -> str:
        return read_token(tmp_path / "token")

    def send(*_: object) -> Answer:
        raise AssertionError("it was sent")

    collectors = Collectors(URLS, "n", counters(), token, send)
    assert collectors.push(b"x") is Outcome.LATER
    assert "cannot read" in collectors.problem


@pytest.mark.parametrize(
    "text", ["", "c:80", "ftp://c", "http://", "http://c:x", "http://c/?a=b", "http://u:p@c"]
)
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read URL"):
        parse_url(text)


def test_tokens(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(" abc\n")
    assert read_token(path) == "abc"
    assert read_token(None) == ""
    for bad in ("", "a b", "a\nb", "\x00", "\xff"):
        path.write_text(bad)
        with pytest.raises(BadFileError, match="holds no token"):
            read_token(path)


def partly(count: int) -> bytes:
    """The answer to an export of which profiles were left out."""
    found = otlp.ExportResponse()
    found.partial_success.rejected_profiles = count
    found.partial_success.error_message = "too old"
    return bytes(found.SerializeToString())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", ""),
        (partly(0), ""),
        (partly(3), "3 profiles were left out: too old"),
        (b"\xff", "it is no answer of OTLP"),
    ],
)
def test_what_was_left_out_of_an_export_is_said(body: bytes, problem: str) -> None:
    world = World()
    world.answers = {f"c{number}": Answer(200, body=body) for number in range(3)}
    assert world.push(EXPORTS) is Outcome.ACCEPTED
    assert world.collectors.problem == problem
    assert world.push(PROFILES) is Outcome.ACCEPTED
    assert world.collectors.problem == ""
