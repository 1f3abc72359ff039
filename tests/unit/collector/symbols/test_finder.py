"""What a debuginfod server is asked for: what many samples lack, the heaviest first, and once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.kinds import Kind
from ebprof.collector.metrics import METRICS, PREFIX
from ebprof.collector.query.addresses import OldestNames
from ebprof.collector.query.labels import ProfileTypes
from ebprof.collector.query.missing import Missing, MissingAnswer, NamelessFile
from ebprof.collector.query.times import Range
from ebprof.collector.retention import Retention
from ebprof.collector.symbols import finder
from ebprof.collector.symbols.files import ObjectFiles
from ebprof.collector.symbols.finder import Finder
from ebprof.metrics import Counters
from ebprof.symbolize.elsewhere import Elsewhere
from ebprof.symbolize.quality import Quality
from tests import claims, stripped, targets
from tests.debuginfod import Reply, Server, serving
from tests.objects import Object

PATIENCE_S = 30
TOTAL = 10_000
HEAVY, LIGHT, RARE = "ab01" * 10, "cd02" * 10, "ef03" * 10


class FakeStore:
    """Values of samples with a function that has no name, by build ID."""

    def __init__(self) -> None:
        self.weights: dict[str, int] = {}
        self.asked = 0

    async def ask(self, question: Any) -> Any:
        if isinstance(question, OldestNames):
            return dict.fromkeys(self.weights, 1)
        if isinstance(question, ProfileTypes):
            return [Kind("cpu", "nanoseconds")]
        assert isinstance(question, Missing)
        self.asked += 1
        files = [NamelessFile("/x", one, 0, value, 1) for one, value in self.weights.items()]
        return MissingAnswer("cpu", "nanoseconds", Range(0, 1), TOTAL, 0, 0, 0, tuple(files))

    async def name(self, frames: Any, version: int) -> None:
        raise AssertionError


class World:
    def __init__(self, path: Path, server: Server) -> None:
        self.server = server
        self.files = ObjectFiles(path / "objects", 1 << 30)
        self.store = FakeStore()
        self.counters = Counters(PREFIX, METRICS)
        self.kept: list[str] = []
        self.finder = Finder(
            Elsewhere(servers=(server.url,)),
            self.files,
            self.store,
            self.counters,
            self.kept.append,
            Retention,
        )

    def keep(self, identity: str, quality: Quality, *, is_debug: bool = False) -> None:
        """Have a file of an object."""
        written = self.files.directory / "written"
        written.write_bytes(b"x")
        self.files.add((identity, is_debug), quality, written)

    def run(self, script: Callable[[World], Awaitable[None]]) -> None:
        async def all_of_it() -> None:
            task = asyncio.create_task(self.finder.run())
            await asyncio.wait_for(script(self), PATIENCE_S)
            assert not task.done()
            task.cancel()

        asyncio.run(all_of_it())

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Build IDs and kinds of the requests."""
        words = [one.split("/") for one in self.server.asked]
        return [(one[2], one[3]) for one in words]


def forget(files: ObjectFiles, part: tuple[str, bool]) -> None:
    """Have no file of an object any more, as if it had made room."""
    files.max_bytes = 0
    written = files.directory / "written"
    written.write_bytes(b"x" * 4096)
    files.add((RARE, False), Quality.NONE, written)
    assert not files.quality(part)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(finder, "ASK_S", 0.0)
    monkeypatch.setattr(finder, "REST_S", 0.01)
    monkeypatch.setattr(finder, "MIN_FREE", 0)
    with serving() as server:
        yield World(tmp_path, server)


def test_the_heaviest_first_and_nothing_for_a_few_samples(world: World) -> None:
    world.store.weights = {LIGHT: TOTAL // 50, RARE: TOTAL // 200, HEAVY: TOTAL // 2}

    async def script(world: World) -> None:
        await until(lambda: len(world.asked) == 4)
        world.finder.note_addresses([HEAVY, RARE])
        await asyncio.sleep(0.2)

    world.run(script)
    assert world.asked == [
        (identity, kind) for identity in (HEAVY, LIGHT) for kind in ("debuginfo", "executable")
    ]
    assert world.counters.value("debuginfod_requests_total", "missing") == 4
    assert world.finder.was_asked(HEAVY)
    assert not world.finder.was_asked(RARE)


def test_what_is_there_is_not_asked_for(world: World) -> None:
    world.store.weights = dict.fromkeys((HEAVY, LIGHT, RARE), TOTAL // 2)
    world.keep(HEAVY, Quality.DWARF)
    world.keep(LIGHT, Quality.DYNAMIC)
    world.keep(LIGHT, Quality.DWARF, is_debug=True)
    world.keep(RARE, Quality.DYNAMIC)

    async def script(world: World) -> None:
        await until(lambda: bool(world.asked))
        await asyncio.sleep(0.2)

    world.run(script)
    assert world.asked == [(RARE, "debuginfo")]


def test_what_was_fetched_and_went_is_not_fetched_again(world: World, tmp_path: Path) -> None:
    """For want of space, say: else it would come and go once a minute."""
    whole = stripped.copied(targets.build("demo"), tmp_path / "whole")
    identity = Object.of(whole).identity
    world.keep(identity, Quality.DYNAMIC)
    world.server.give(identity, stripped.debug_file(whole, tmp_path / "debug").read_bytes())
    world.store.weights = {identity: TOTAL}

    async def script(world: World) -> None:
        await until(lambda: world.kept == [identity])
        assert world.files.quality((identity, True)) == Quality.DWARF
        forget(world.files, (identity, True))
        world.finder.note_addresses([identity])
        await asyncio.sleep(0.2)

    world.run(script)
    assert world.asked == [(identity, "debuginfo"), (identity, "executable")], "both had to go"
    assert [*(world.files.directory / "found").iterdir()] == []


def test_a_file_that_claims_too_much_is_refused_and_counted(world: World) -> None:
    world.keep(HEAVY, Quality.DYNAMIC)
    world.server.replies[f"/buildid/{HEAVY}/debuginfo"] = Reply(b"no ELF file" * 99)
    world.store.weights = {HEAVY: TOTAL}

    async def script(world: World) -> None:
        await until(lambda: bool(world.counters.value("debuginfod_requests_total", "refused")))
        world.finder.note_addresses([HEAVY])
        await asyncio.sleep(0.2)

    world.run(script)
    assert len(world.asked) == 1


def test_a_full_disk_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "MIN_FREE", shutil.disk_usage("/").total * 2)
    world.store.weights = {HEAVY: TOTAL}

    async def script(world: World) -> None:
        await until(lambda: world.store.asked > 1)

    world.run(script)
    assert world.asked == []


def test_without_sources_nothing_is_asked(tmp_path: Path) -> None:
    files = ObjectFiles(tmp_path / "objects", 1 << 30)
    store = FakeStore()
    found = Finder(Elsewhere(), files, store, Counters(PREFIX, METRICS), lambda _: None, Retention)
    asyncio.run(found.run())
    found.note_addresses([HEAVY])
    assert not found.was_asked(HEAVY)
    assert store.asked == 0
    assert [*files.directory.iterdir()] == []


def test_a_file_of_a_directory_that_is_refused_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "SCAN_S", 0.0)
    monkeypatch.setattr(finder, "SCAN_SHARE", 0)
    monkeypatch.setattr(finder, "REST_S", 0.01)
    folder = tmp_path / "folder"
    folder.mkdir()
    whole = stripped.copied(targets.build("demo"), folder / "whole")
    identity = Object.of(whole).identity
    claims.compressed(whole, claims.ZLIB, 1 << 40)
    files = ObjectFiles(tmp_path / "objects", 1 << 30)
    store, counters = FakeStore(), Counters(PREFIX, METRICS)
    kept: list[str] = []
    store.weights = {identity: TOTAL}
    found = Finder(Elsewhere((folder,)), files, store, counters, kept.append, Retention)

    def looked() -> int:
        return counters.value("debug_dir_files_total", "refused")

    async def script() -> None:
        task = asyncio.create_task(found.run())
        await until(lambda: looked() == 1)
        for _ in range(3):
            found.note_addresses([identity])
            await asyncio.sleep(0.05)
        assert looked() == 1
        stripped.copied(targets.build("demo"), whole)
        await until(lambda: kept == [identity])
        task.cancel()

    asyncio.run(asyncio.wait_for(script(), PATIENCE_S))
