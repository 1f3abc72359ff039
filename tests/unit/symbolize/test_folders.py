"""Directories of debug files: found by build ID under any name; what leads elsewhere is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ebprof.elf import ElfImage
from ebprof.symbolize import folders
from ebprof.symbolize.budget import Budget
from ebprof.symbolize.debugfiles import DebugFiles, has_dwarf
from ebprof.symbolize.folders import DebugFolder
from tests import stripped, targets
from tests.unit.symbolize.conftest import opened


class World:
    def __init__(self, path: Path) -> None:
        self.path = path / "debug"
        self.path.mkdir()
        self.whole = targets.build("demo")
        self.debug = stripped.debug_file(self.whole, path / "demo.debug")
        with opened(self.whole) as file:
            self.build_id = file.image.build_id
        self.noted: list[tuple[str, str]] = []
        self.folder = DebugFolder(self.path, lambda why, text: self.noted.append((why, text)))

    @property
    def by_build_id(self) -> Path:
        place = self.path / ".build-id" / self.build_id[:2] / f"{self.build_id[2:]}.debug"
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def found(self) -> int:
        """How many files have the build ID."""
        self.folder.scan()
        files = [*self.folder.open(self.build_id)]
        for file in files:
            assert ElfImage(file).build_id == self.build_id
            file.close()
        return len(files)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_by_build_id_by_name_and_in_any_directory(world: World) -> None:
    assert world.found() == 0
    stripped.copied(world.debug, world.by_build_id)
    (world.path / "usr/bin").mkdir(parents=True)
    stripped.copied(world.debug, world.path / "usr/bin/demo.debug")
    stripped.copied(world.whole, world.path / "demo")
    (world.path / "README").write_text("what is no ELF file is not spoken of")
    assert world.found() == len(world.folder) == 3
    assert world.noted == []


def test_only_what_is_new_or_another_is_looked_at(world: World) -> None:
    place = stripped.copied(world.whole, world.path / "demo")
    assert world.folder.scan() == {world.build_id}
    assert world.folder.scan() == set()
    os.utime(place, (1, 1))
    assert world.folder.scan() == {world.build_id}
    place.unlink()
    assert world.found() == len(world.folder) == 0


def test_links_within_are_followed_and_others_are_refused_once(
    world: World, tmp_path: Path
) -> None:
    stripped.copied(world.debug, world.path / "here")
    world.by_build_id.symlink_to("../../here")
    (world.path / "absolute").symlink_to(world.debug)
    (world.path / "relative").symlink_to("../demo.debug")
    (world.path / "elsewhere").symlink_to(tmp_path)
    (world.path / "dangling").symlink_to("nothing")
    (world.path / "loop").symlink_to("loop")
    os.mkfifo(world.path / "fifo")
    assert world.found() == 2
    outside = [(why, text) for why, text in world.noted]
    assert [why for why, _ in outside] == [folders.OUTSIDE] * 2
    assert all(text.endswith("a link leads out of the directory") for _, text in outside)
    world.folder.scan()
    assert len(world.noted) == 2


def test_a_file_that_has_not_the_build_id_of_its_name(world: World) -> None:
    other = stripped.renamed(stripped.copied(world.debug, world.path.parent / "other"))
    stripped.copied(other, world.by_build_id)
    assert world.found() == 0
    ((why, text),) = world.noted
    assert why == folders.UNREADABLE
    assert f"no whole ELF file of the build ID {world.build_id}" in text


@pytest.mark.parametrize("size", [5, 100, 3000])
def test_a_file_that_is_cut_off(world: World, size: int) -> None:
    (world.path / "cut").write_bytes(world.debug.read_bytes()[:size])
    assert world.found() == 0
    assert {why for why, _ in world.noted} <= {folders.UNREADABLE}


def test_too_many_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_FILES", 3)
    for name in "abcde":
        (world.path / name).write_bytes(b"")
    world.folder.scan()
    assert world.noted == [(folders.TOO_MANY, f"{world.path} has more than 3 files")]


def test_a_directory_that_is_not_there_may_come_later(tmp_path: Path) -> None:
    noted: list[str] = []
    folder = DebugFolder(tmp_path / "later", lambda why, text: noted.append(text))
    assert folder.scan() == set()
    assert noted == [f"{tmp_path}/later/: no such file or directory"]
    (tmp_path / "later").mkdir()
    assert folder.scan() == set()


def test_the_tool_takes_the_file_with_dwarf(world: World, tmp_path: Path) -> None:
    bare = stripped.without_symbols(world.whole, tmp_path / "bare")
    stripped.without_debug(world.whole, world.path / "table")
    files = DebugFiles(Budget(1 << 40, ""), folders=[world.path])
    with opened(bare, "/app/demo") as file, files.find(file) or pytest.fail("no file") as found:
        assert not has_dwarf(ElfImage(found))
    stripped.copied(world.debug, world.path / "whole")
    files = DebugFiles(Budget(1 << 40, ""), folders=[world.path])
    with opened(bare, "/app/demo") as file, files.find(file) or pytest.fail("no file") as found:
        assert has_dwarf(ElfImage(found))


def test_the_tool_finds_by_debug_link_what_has_no_build_id(world: World, tmp_path: Path) -> None:
    whole = stripped.without_build_id(world.whole, tmp_path / "whole")
    (world.path / "app").mkdir()
    debug = stripped.debug_file(whole, world.path / "app/demo.debug")
    bare = stripped.linked(whole, debug, tmp_path / "bare")
    files = DebugFiles(Budget(1 << 40, ""), folders=[world.path])
    with opened(bare, "/app/demo") as file, files.find(file) or pytest.fail("no file") as found:
        assert has_dwarf(ElfImage(found))
    with opened(bare, "/other/demo") as file:
        assert files.find(file) is None
    with debug.open("ab") as end:
        end.write(b"x")
    with opened(bare, "/app/demo") as file:
        assert files.find(file) is None, "another checksum"
