"""Which addresses are looked up when, and what is written of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ebprof.collector.metrics import METRICS, PREFIX
from ebprof.collector.query.addresses import Address, OldestNames, Unnamed
from ebprof.collector.store.frames import FrameRow
from ebprof.collector.store.question import StoreError
from ebprof.collector.symbols import resolver
from ebprof.collector.symbols.client import FailedLookupError
from ebprof.collector.symbols.files import ObjectFiles
from ebprof.collector.symbols.resolver import Resolver
from ebprof.metrics import Counters
from ebprof.model import Frame
from ebprof.symbolize.lookup import Answer, Lookup
from ebprof.symbolize.quality import Quality

ID = "abcd"
OTHER = "ef01"
PATIENCE_S = 30


class FakeStore:
    """Addresses by object with the version of their names; fails as often as it is told to."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, int], int] = {}
        self.named: dict[tuple[str, int], FrameRow] = {}
        self.failures = 0

    def add(self, identity: str, *offsets: int) -> None:
        self.versions.update({(identity, one): 1 for one in offsets})

    async def ask(self, question: Any) -> Any:
        if self.failures:
            self.failures -= 1
            raise StoreError("the store is starting")
        if isinstance(question, OldestNames):
            found: dict[str, int] = {}
            for (identity, _), version in self.versions.items():
                found[identity] = min(version, found.get(identity, version))
            return found
        assert isinstance(question, Unnamed)
        wanted = [
            offset
            for (identity, offset), version in sorted(self.versions.items())
            if identity == question.build_id and version < question.version
        ]
        return [Address(one * 10, "/lib/x.so", one) for one in wanted[: question.most]]

    async def name(self, frames: tuple[FrameRow, ...], version: int) -> None:
        for row in frames:
            self.versions[row.build_id, row.address] = version
            self.named[row.build_id, row.address] = row


class FakeClient:
    """Knows even offsets, and of odd ones where their function begins, if below `described`; a
    file whose path has `broken` in it breaks it.
    """

    def __init__(self) -> None:
        self.lookups: list[Lookup] = []
        self.broken = ""
        self.described = 0
        self.is_closed = False

    def find(self, lookup: Lookup) -> list[Answer]:
        self.lookups.append(lookup)
        if self.broken and self.broken in lookup.path + lookup.debug:
            raise FailedLookupError("it crashes what reads it")
        return [self._answer(one) for one in lookup.offsets]

    def _answer(self, offset: int) -> Answer:
        if offset % 2:
            return Answer(start=offset // 16 * 16) if offset < self.described else Answer()
        return Answer((Frame(f"f{offset}", "x.c", offset),))

    def close(self) -> None:
        pass


class World:
    def __init__(self, path: Path) -> None:
        self.files = ObjectFiles(path / "objects", 1 << 30)
        self.store, self.client = FakeStore(), FakeClient()
        self.counters = Counters(PREFIX, METRICS)
        client: Any = self.client
        self.resolver = Resolver(self.files, self.store, client, self.counters)

    def keep(self, identity: str, quality: Quality, *, is_debug: bool = False) -> None:
        written = self.files.directory / "written"
        written.write_bytes(b"x")
        self.files.add((identity, is_debug), quality, written)
        self.resolver.note_file(identity)

    def looked_up(self, result: str) -> int:
        return self.counters.value("lookups_total", result)

    def run(self, script: Callable[[World], Awaitable[None]]) -> None:
        async def all_of_it() -> None:
            task = asyncio.create_task(self.resolver.run())
            await asyncio.wait_for(script(self), PATIENCE_S)
            assert not task.done()
            task.cancel()

        asyncio.run(all_of_it())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(resolver, "REST_S", 0.02)
    monkeypatch.setattr(resolver, "RETRY_S", 0.02)
    return World(tmp_path)


def test_what_is_not_known_is_not_asked_again(world: World) -> None:
    async def script(world: World) -> None:
        world.store.add(ID, 2, 3)
        world.keep(ID, Quality.TABLE)
        await until(lambda: len(world.store.named) == 2)
        world.resolver.note_addresses([ID])
        world.store.add(ID, 4)
        world.resolver.note_addresses([ID])
        await until(lambda: (ID, 4) in world.store.named)

    world.run(script)
    assert world.store.named[ID, 2].names == ("f2",)
    assert (world.store.named[ID, 2].files, world.store.named[ID, 2].lines) == (("x.c",), (2,))
    assert world.store.named[ID, 3].names == ()
    assert [one.offsets for one in world.client.lookups] == [(2, 3), (4,)]
    assert (world.looked_up("named"), world.looked_up("unknown")) == (2, 1)


def test_what_has_no_name_is_called_by_its_start(world: World) -> None:
    world.client.described = 0x40

    async def script(world: World) -> None:
        world.store.add(ID, 2, 0x21, 0x2F, 0x41)
        world.keep(ID, Quality.NONE)
        await until(lambda: len(world.store.named) == 4)

    world.run(script)
    found = {offset: row for (_, offset), row in world.store.named.items()}
    assert found[0x21].names == found[0x2F].names == ("[x.so]+0x20",)
    assert (found[0x21].is_by_start, found[2].is_by_start) == (True, False)
    assert found[0x41].names == ()
    assert (world.looked_up("named"), world.looked_up("unknown")) == (1, 3)


def test_a_worse_file_has_the_name_that_a_better_one_lacks(world: World) -> None:
    def find(lookup: Lookup) -> list[Answer]:
        if lookup.path.endswith("abcd.object.4"):
            return [Answer(start=0x20) for _ in lookup.offsets]
        return [Answer((Frame("f"),)) if one == 0x21 else Answer() for one in lookup.offsets]

    world.client.find = find  # type: ignore[method-assign]

    async def script(world: World) -> None:
        world.store.add(ID, 0x21, 0x22)
        for quality in (Quality.TABLE, Quality.DWARF):
            written = world.files.directory / "written"
            written.write_bytes(b"x")
            world.files.add((ID, False), quality, written)
        world.resolver.note_file(ID)
        await until(lambda: len(world.store.named) == 2)

    world.run(script)
    assert world.store.named[ID, 0x21].names == ("f",)
    assert world.store.named[ID, 0x22].names == ("[x.so]+0x20",)


def test_a_better_file_has_all_looked_up_again(world: World) -> None:
    async def script(world: World) -> None:
        world.store.add(ID, 2)
        world.keep(ID, Quality.DYNAMIC)
        await until(lambda: len(world.client.lookups) == 1)
        world.keep(ID, Quality.DWARF, is_debug=True)
        await until(lambda: len(world.client.lookups) == 2)

    world.run(script)
    first, second = world.client.lookups
    assert (first.debug, second.offsets) == ("", (2,))
    assert second.debug.endswith("abcd.debug.4")
    assert second.version > first.version


def test_a_better_file_takes_no_name_away(world: World) -> None:
    """Nor does one that cannot be read: what is not known by it is asked of the worse one."""

    async def script(world: World) -> None:
        world.store.add(ID, 2, 3)
        world.keep(ID, Quality.TABLE)
        await until(lambda: (ID, 2) in world.store.named)
        world.client.broken = "abcd.object.4"
        world.keep(ID, Quality.DWARF)
        await until(lambda: len(world.client.lookups) == 3)
        world.store.add(ID, 4)
        world.resolver.note_addresses([ID])
        await until(lambda: (ID, 4) in world.store.named)

    world.run(script)
    assert world.store.named[ID, 2].names == ("f2",)
    assert world.store.named[ID, 4].names == ("f4",)
    first, broken, second, *_ = world.client.lookups
    assert (second.path, second.offsets) == (first.path, (2, 3))
    assert broken.path.endswith("abcd.object.4")
    assert world.looked_up("failed") == 0


def test_without_a_bad_debug_file_an_object_has_its_own_names(world: World) -> None:
    world.client.broken = "abcd.debug.4"

    async def script(world: World) -> None:
        world.store.add(ID, 2)
        world.keep(ID, Quality.DYNAMIC)
        world.keep(ID, Quality.DWARF, is_debug=True)
        await until(lambda: (ID, 2) in world.store.named)

    world.run(script)
    assert world.store.named[ID, 2].names == ("f2",)
    assert [one.debug for one in world.client.lookups][-1] == ""


def test_a_start_goes_on_where_the_last_run_was(world: World) -> None:
    world.store.add(ID, 2)
    world.store.add(OTHER, 4)
    world.keep(ID, Quality.TABLE)
    world.store.failures = 2

    async def script(world: World) -> None:
        await until(lambda: (ID, 2) in world.store.named)

    world.run(script)
    assert world.resolver.missing == {OTHER}


def test_an_object_that_breaks_the_process_costs_its_own_names(world: World) -> None:
    world.client.broken = ID

    async def script(world: World) -> None:
        world.store.add(ID, 2, 4)
        world.store.add(OTHER, 6)
        world.keep(ID, Quality.DWARF)
        world.keep(OTHER, Quality.DWARF)
        await until(lambda: len(world.store.named) == 3)

    world.run(script)
    assert world.store.named[OTHER, 6].names == ("f6",)
    assert world.store.named[ID, 2].names == ()
    assert world.looked_up("failed") == 2
    assert len(world.client.lookups) == 2, "it is not tried again"


def test_many_are_looked_up_in_turns(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MOST", 10)

    async def script(world: World) -> None:
        world.store.add(ID, *range(2, 37))
        world.keep(ID, Quality.DWARF)
        await until(lambda: len(world.store.named) == 35)

    world.run(script)
    assert [len(one.offsets) for one in world.client.lookups] == [10, 10, 10, 5]


def test_what_there_is_no_file_of_is_missing(world: World) -> None:
    async def script(world: World) -> None:
        world.store.add(ID, 2)
        world.resolver.note_addresses([ID])
        assert world.resolver.missing == {ID}
        world.keep(ID, Quality.TABLE)
        await until(lambda: (ID, 2) in world.store.named)

    world.run(script)
    assert world.resolver.missing == set()
