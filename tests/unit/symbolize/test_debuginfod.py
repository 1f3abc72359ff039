"""debuginfod against a server of our own on the loopback."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebprof.elf import ElfImage, memory_file
from ebprof.symbolize import debuginfod
from ebprof.symbolize.budget import Budget
from ebprof.symbolize.cache import FileStore
from ebprof.symbolize.debuginfod import Debuginfod, is_askable, not_urls, servers
from tests.debuginfod import Reply, Server, serving

SAMPLE = Path("/proc/self/exe").resolve().read_bytes()
OTHER = "ab01" * 10


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def build_id() -> str:
    with memory_file(SAMPLE) as file:
        found = ElfImage(file).build_id
    if not found:
        pytest.skip("this Python has no build ID")
    return found


class World:
    """A client, its clock, and what it says of its requests."""

    def __init__(self, store: Path | None, *urls: str, keeps: bool = True) -> None:
        self.now = 1_000_000.0
        self.results: list[str] = []
        self.lines: list[str] = []
        self.client = Debuginfod(
            urls,
            FileStore(store),
            Budget(math.inf, ""),
            self._note,
            keeps=keeps,
            clock=lambda: self.now,
        )

    def _note(self, result: str, line: str) -> None:
        self.results.append(result)
        self.lines += [line] if line else []

    def has(self, build_id: str, kind: str = debuginfod.DEBUGINFO) -> bool:
        """Whether it finds the file, which is the right one."""
        file = self.client.fetch(build_id, kind)
        if file is None:
            return False
        with file:
            assert ElfImage(file).build_id == build_id
        return True


@pytest.mark.parametrize("stored", [True, False])
def test_fetches_once(server: Server, build_id: str, tmp_path: Path, stored: bool) -> None:
    server.give(build_id, SAMPLE, length=len(SAMPLE))
    store = tmp_path / "store" if stored else None
    assert World(store, server.url).has(build_id)
    assert server.asked == [f"/buildid/{build_id}/debuginfo"]
    assert server.agents[0].startswith("ebprof/")
    assert World(store).has(build_id) == stored


def test_what_it_does_not_keep_is_nowhere(server: Server, build_id: str, tmp_path: Path) -> None:
    server.give(build_id, SAMPLE, "executable")
    world = World(tmp_path / "store", server.url, keeps=False)
    assert world.has(build_id, debuginfod.EXECUTABLE)
    assert [*(tmp_path / "store").iterdir()] == []
    assert (world.client.received, world.results) == (len(SAMPLE), ["found"])


@pytest.mark.parametrize("stored", [True, False])
def test_what_nobody_has_is_asked_for_once_a_day(
    server: Server, build_id: str, tmp_path: Path, stored: bool
) -> None:
    world = World(tmp_path / "store" if stored else None, server.url)
    for _ in range(2):
        assert not world.has(build_id)
    assert len(server.asked) == 1
    assert not world.client.may_ask(build_id)
    assert world.client.may_ask(build_id, debuginfod.EXECUTABLE)
    if stored:
        world = World(tmp_path / "store", server.url)
        assert not world.has(build_id)
        assert len(server.asked) == 1
    server.give(build_id, SAMPLE)
    world.now += debuginfod.MISS_S + 1
    assert world.has(build_id)
    assert world.lines == []


def test_several_servers_are_asked_in_turn(server: Server, build_id: str) -> None:
    with serving() as second:
        second.give(build_id, SAMPLE)
        assert World(None, server.url, second.url).has(build_id)
        assert len(server.asked) == len(second.asked) == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(SAMPLE), "wrong build ID"),
        (Reply(b"<html>" * 9), "not an ELF file"),
        (Reply(b"x", length=1 << 40), f"more than {512 << 20} bytes"),
    ],
    ids=("wrong", "no_elf", "terabyte"),
)
def test_what_is_not_right_is_refused_and_not_fetched_again(
    server: Server, reply: Reply, said: str
) -> None:
    server.replies[f"/buildid/{OTHER}/debuginfo"] = reply
    world = World(None, server.url)
    for _ in range(2):
        assert not world.has(OTHER)
    assert world.results == ["refused"]
    assert said in world.lines[0]
    assert len(server.asked) == 1


def test_a_body_without_end_is_cut_off(
    server: Server, build_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debuginfod, "MAX_BYTES", 1000)
    server.give(build_id, SAMPLE)
    world = World(tmp_path, server.url)
    assert not world.has(build_id)
    assert "more than 1000 bytes" in world.lines[0]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(SAMPLE[:9000], length=len(SAMPLE)),
        Reply(status=503),
        Reply(status=429, headers={"Retry-After": "600"}),
        Reply(status=302, headers={"Location": "ftp://127.0.0.1/x"}),
        Reply(status=302, headers={"Location": "file:///proc/self/exe"}),
    ],
    ids=("cut", "503", "429", "ftp", "file"),
)
def test_a_server_that_fails_is_left_alone(server: Server, build_id: str, reply: Reply) -> None:
    server.replies[f"/buildid/{build_id}/debuginfo"] = reply
    world = World(None, server.url)
    assert not world.has(build_id)
    assert not world.has(OTHER)
    assert world.results == ["failed"]
    assert len(server.asked) == 1
    server.give(build_id, SAMPLE)
    world.now += 61
    assert world.has(build_id) == (reply.status != 429)
    world.now += 600
    assert world.has(build_id)


def test_it_is_left_alone_longer_each_time(server: Server, build_id: str) -> None:
    server.replies[f"/buildid/{build_id}/debuginfo"] = Reply(status=500)
    world = World(None, server.url)
    for asked, wait in enumerate((60, 120, 240), 1):
        assert not world.has(build_id)
        assert len(server.asked) == asked
        world.now += wait - 1
        assert not world.client.may_ask(build_id)
        world.now += 2


def test_unreachable_servers(build_id: str) -> None:
    world = World(None, "http://127.0.0.1:1", "file:///etc")
    assert not world.has(build_id)
    assert "refused" in world.lines[0]


def test_no_time_is_left(server: Server, build_id: str) -> None:
    seconds = Budget(0, "debuginfod servers take too long")
    client = Debuginfod([server.url], FileStore(None), seconds, lambda *_: None)
    assert client.fetch(build_id) is None
    assert server.asked == []
    assert [*seconds.warnings] == ["debuginfod servers take too long (1 left out)"]


@pytest.mark.parametrize(
    "build_id",
    ["", "ab", "00" * 20, "../../etc", "AB01" * 10, "ab0" * 7, "htl-" + "ab" * 16, "ab01" * 40],
)
def test_ids_that_no_linker_makes_are_not_asked_for(server: Server, build_id: str) -> None:
    assert not is_askable(build_id)
    assert World(None, server.url).client.fetch(build_id) is None
    assert server.asked == []


def test_servers_by_option_and_by_variable() -> None:
    environment = {"DEBUGINFOD_URLS": " ima:enforcing https://b/ http://a  ftp://c"}
    found = servers(["http://a", "env"], environment)
    assert found == ("http://a", "https://b", "ftp://c")
    assert servers(["env"], {}) == ()
    assert not_urls(found) == ["ftp://c"]
