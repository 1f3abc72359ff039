"""The best file of each object is kept, in bounded space."""

from __future__ import annotations

import os
from pathlib import Path

from ebprof.collector.symbols.files import ObjectFiles
from ebprof.symbolize.quality import Quality

A, B, C = (("aaaa", False), ("bbbb", False), ("cccc", False))
A_DEBUG = ("aaaa", True)
SIZE = 64 << 10


class World:
    def __init__(self, path: Path, max_bytes: int = 1 << 30) -> None:
        self.path = path / "objects"
        self.files = ObjectFiles(self.path, max_bytes)

    def add(self, part: tuple[str, bool], quality: int, text: str = "") -> bool:
        written = self.path / "written"
        written.write_bytes(text.encode().ljust(SIZE, b"x"))
        return self.files.add(part, Quality(quality), written)

    @property
    def names(self) -> set[str]:
        return {one.name for one in self.path.iterdir()} - {"written"}


def test_better_comes_first_and_what_is_there_stays(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.add(A, Quality.TABLE, "first")
    assert not world.add(A, Quality.TABLE, "second")
    assert not world.add(A, Quality.DYNAMIC, "third")
    (pair,) = world.files.pairs("aaaa")
    assert pair.object.path.read_text().startswith("first")
    assert world.add(A, Quality.DWARF, "fourth")
    better, worse = world.files.pairs("aaaa")
    assert better.object.path.read_text().startswith("fourth")
    assert worse.object.path.read_text().startswith("first")
    assert better.version > pair.version
    assert world.names == {"aaaa.object.3", "aaaa.object.4"}


def test_a_debug_file_makes_an_object_better(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.add(A_DEBUG, Quality.TABLE)
    assert world.files.pairs("aaaa") == [], "segments are in the object itself"
    assert world.add(A, Quality.DYNAMIC)
    versions = []
    for quality in (None, Quality.DWARF):
        if quality:
            assert world.add(A_DEBUG, quality)
        found = world.files.pairs("aaaa")
        assert [one.object.quality for one in found] == [Quality.DYNAMIC] * len(found)
        assert found[0].debug is not None
        assert found[0].debug.quality == (quality or Quality.TABLE)
        versions.append(found[0].version)
    assert versions[1] > versions[0]
    assert len(world.files.pairs("aaaa")) == 2
    assert world.files.identities == {"aaaa"}


def test_those_used_least_make_room(tmp_path: Path) -> None:
    world = World(tmp_path, 3 * SIZE)
    assert world.add(B, Quality.TABLE)
    for age, part in enumerate((A, B)):
        assert world.add(part, Quality.DWARF)
        for held in world.files.pairs(part[0]):
            os.utime(held.object.path, (1000 + age, 1000 + age))
    world.files.pairs("aaaa")  # is used
    assert world.add(C, Quality.DWARF)
    assert world.files.identities == {"aaaa", "cccc"}
    assert world.names == {"aaaa.object.4", "cccc.object.4"}
    assert (world.files.evicted, len(world.files)) == (2, 2)
    assert world.files.size == 2 * SIZE


def test_what_is_there_is_found_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.add(A, Quality.TABLE, "worse")
    (world.path / "aaaa.object.4").write_text("better")
    (world.path / "garbage").write_text("")
    again = ObjectFiles(world.path, 1 << 30)
    found = again.pairs("aaaa")
    assert [one.object.quality for one in found] == [Quality.DWARF, Quality.TABLE]
    assert world.names == {"aaaa.object.3", "aaaa.object.4", "garbage"}
