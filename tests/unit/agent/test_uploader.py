"""Object files on their way: offered, sent where wanted, resumed; what cannot be is said."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ebprof.agent import objects, streams, uploader
from ebprof.agent.collectors import Collectors
from ebprof.agent.objects import Objects
from ebprof.agent.sender import Answer
from ebprof.agent.uploader import Uploader
from ebprof.elf import ObjectFile, open_regular
from ebprof.symbolize.excerpts import Excerpt
from ebprof.symbolize.ids import object_id
from ebprof.walls import Walls
from tests import stripped, targets
from tests.unit.agent.fakes import Service, counters

PATIENCE_S = 60
PART = 50_000


class World:
    """A sender, what it says, and what it sends to."""

    def __init__(self, path: Path) -> None:
        self.service = Service(path / "objects")
        self.answer: Callable[..., Answer] = self.service.send
        self.counters = counters()
        self.said: list[str] = []
        self.objects = Objects()
        self.walls = Walls()
        collectors = Collectors(
            ["http://c"], "node", self.counters, lambda: "", lambda *given: self.answer(*given)
        )
        self.uploader = Uploader(
            self.objects, collectors, self.counters, self.walls, self.said.append, rate=1e9
        )

    def meet(self, path: Path, name: str = "") -> str:
        file = ObjectFile.open(open_regular(str(path)), name or str(path))
        identity = object_id(file.image)
        self.objects.met(identity, file)
        file.close()
        return identity

    def count(self, result: str) -> int:
        return self.counters.value("objects_total", result)

    def wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, self.said
            time.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("ASK_S", "TROUBLE_S", "NO_SERVICE_S", "_TOGETHER_S"):
        monkeypatch.setattr(uploader, name, 0.02)
    monkeypatch.setattr(streams, "PART", PART)
    found = World(tmp_path)
    yield found
    found.uploader.finish(PATIENCE_S)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return stripped.copied(targets.build("split"), tmp_path / "program")


@pytest.mark.usefixtures("walls_hold")
@pytest.mark.parametrize("where", ["quality_of", "excerpt_of", "read"])
def test_a_surprise_in_one_object_costs_no_other(
    where: str, world: World, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smaller one, which comes first."""
    other = stripped.copied(targets.build("demo"), program.with_name("other"))
    number = min(program, other, key=lambda path: path.stat().st_size).stat().st_ino
    owner = Excerpt if where == "read" else objects
    real = getattr(owner, where)

    def fail(*given: Any) -> Any:
        one = given[1] if where == "read" else given[0].fd
        if os.fstat(one).st_ino == number:
            raise OverflowError("no reader")
        return real(*given)

    monkeypatch.setattr(owner, where, fail)
    for path in (program, other):
        world.meet(path)
    world.wait(lambda: world.count("sent") == 1)
    world.wait(lambda: world.uploader.waiting == 0)
    assert world.walls.failed > 0 and "no reader" in next(world.walls.warnings)


def test_what_is_wanted_is_sent_once(world: World, program: Path) -> None:
    identity = world.meet(program)
    world.wait(lambda: world.count("sent") == 1)
    assert world.service.files.identities == {identity}
    parts = world.service.parts
    world.meet(program)
    world.wait(lambda: world.uploader.waiting == 0)
    assert (world.service.parts, world.count("known")) == (parts, 0)
    assert world.counters.value("object_bytes_total") > 0


def test_what_is_known_is_not_sent(tmp_path: Path, world: World, program: Path) -> None:
    world.meet(program)
    world.wait(lambda: world.count("sent") == 1)
    world.uploader.finish(PATIENCE_S)
    again = World(tmp_path / "again")
    again.answer = world.service.send
    again.meet(program)
    again.wait(lambda: again.count("known") == 1)
    again.uploader.finish(PATIENCE_S)
    assert again.count("sent") == 0


def test_it_goes_on_where_the_connection_broke(world: World) -> None:
    path = targets.build("demo")
    world.service.failures = [OSError("reset"), 503, OSError("reset")]
    world.meet(path)
    world.wait(lambda: world.count("sent") == 1)
    size = world.counters.value("object_bytes_total")
    assert world.service.parts == -(-size // PART) + 3, "three parts were sent twice"
    assert not world.said or "503" in world.said[0]


def test_a_deleted_file_is_sent_and_closed(world: World, program: Path) -> None:
    file = ObjectFile.open(open_regular(str(program)), str(program))
    program.unlink()
    world.objects.met(object_id(file.image), file)
    file.close()
    world.wait(lambda: world.count("sent") == 1)
    world.wait(lambda: not world.uploader._kept)


def test_a_separate_debug_file_is_sent_too(world: World, program: Path) -> None:
    debug = stripped.debug_file(program, program.with_suffix(".debug"))
    bare = stripped.without_symbols(program, program.with_suffix(".bare"))
    stripped.run("objcopy", f"--add-gnu-debuglink={debug}", bare)
    identity = world.meet(bare)
    world.wait(lambda: world.count("sent") == 2)
    assert world.service.files.quality((identity, True)) >= 3
    assert world.service.files.quality((identity, False)) == 2


def test_what_cannot_be_read_any_more_is_said(world: World, program: Path) -> None:
    answer, world.answer = world.answer, lambda *given: Answer(503)
    world.meet(program, "/app/program")
    world.wait(lambda: world.uploader.waiting == 1)
    program.write_bytes(program.read_bytes()[:5000])
    world.answer = answer
    world.wait(lambda: world.count("unreadable") == 1)
    assert any("/app/program" in text and "stay addresses" in text for text in world.said)
    assert world.count("sent") == 0


def test_what_is_refused_is_not_sent_again(world: World, program: Path) -> None:
    other = stripped.copied(targets.build("demo"), program.with_suffix(".other"))
    world.service.parts = 1
    world.service.failures = [400]
    world.meet(program, "/app/program")
    world.wait(lambda: world.count("refused") == 1)
    world.meet(other)
    world.wait(lambda: world.count("sent") == 1)
    assert [text for text in world.said if "/app/program" in text] == [
        "warning: /app/program: the collector refuses it"
    ]


def test_a_receiver_without_the_service_is_left_alone(world: World, program: Path) -> None:
    world.answer = lambda *given: Answer(404)
    world.meet(program)
    world.wait(lambda: bool(world.said))
    time.sleep(0.2)
    (text,) = world.said
    assert "--symbols agent" in text
    assert world.uploader.waiting == 1


def test_another_collector_is_offered_all(world: World, program: Path) -> None:
    world.meet(program)
    world.wait(lambda: world.count("sent") == 1)
    wants = world.service.wants
    world.uploader._url = "http://the-one-before"
    world.wait(lambda: world.service.wants > wants)
    world.wait(lambda: world.count("known") == 1)
