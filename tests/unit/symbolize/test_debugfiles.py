"""Debug files that a hostile process points to: in its root, beside its program, in its links."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from ebprof.symbolize.budget import Budget
from ebprof.symbolize.debugfiles import DebugFiles
from tests.binutils import run
from tests.unit.symbolize.conftest import INLINED, Compile, opened

FLAGS = ("-g", "-O2", "-Wl,--build-id")
BUILD_ID_PLACE = "usr/lib/debug/.build-id"


class Program:
    """A stripped program, and its debug file, to be put somewhere."""

    def __init__(self, source: Path, directory: Path) -> None:
        self.stripped, self.debug = directory / "stripped", directory / "program.debug"
        run("objcopy", "--only-keep-debug", source, self.debug)
        run("objcopy", "--strip-all", f"--add-gnu-debuglink={self.debug}", source, self.stripped)
        self.root = directory / "root"
        (self.root / "app").mkdir(parents=True)

    @property
    def by_build_id(self) -> Path:
        """Where it is looked for by build ID."""
        with opened(self.stripped) as file:
            build_id = file.image.build_id
        place = self.root / BUILD_ID_PLACE / build_id[:2] / f"{build_id[2:]}.debug"
        place.parent.mkdir(parents=True)
        return place

    def is_found(self, budget: Budget | None = None) -> bool:
        """Whether the debug file is found by a process that has /app/program in `root`."""
        files = DebugFiles(budget or Budget(1 << 40, ""))
        with opened(self.stripped, "/app/program", root=str(self.root)) as file:
            found = files.find(file)
            if found is not None:
                found.close()
            return found is not None


@pytest.fixture
def program(compile_program: Compile, tmp_path: Path) -> Program:
    return Program(compile_program(INLINED, "g++", *FLAGS), tmp_path)


@pytest.fixture
def without_id(compile_program: Compile, tmp_path: Path) -> Program:
    """What is told by its checksum alone."""
    return Program(compile_program(INLINED, "g++", *FLAGS, "-Wl,--build-id=none"), tmp_path)


def test_found_where_it_belongs(program: Program) -> None:
    assert not program.is_found()
    program.debug.rename(program.by_build_id)
    assert program.is_found()


def test_links_within_the_root_are_followed(program: Program) -> None:
    """As distributions have them: from the build ID to the file's name."""
    (program.root / "usr/lib/debug/app").mkdir(parents=True)
    program.debug.rename(program.root / "usr/lib/debug/app/program.debug")
    program.by_build_id.symlink_to("/usr/lib/debug/app/program.debug")
    assert program.is_found()


def test_no_link_leads_out_of_the_root(program: Program) -> None:
    program.by_build_id.symlink_to(program.debug)
    (program.root / "app/program.debug").symlink_to(program.debug)
    (program.root / "app/.debug").symlink_to(program.debug.parent)
    assert not program.is_found()


def test_beside_the_program_no_link_is_followed_at_all(program: Program) -> None:
    """Who owns the directory could lead us to what only we may read."""
    (program.root / "private").mkdir()
    program.debug.rename(program.root / "private/program.debug")
    (program.root / "app/program.debug").symlink_to("/private/program.debug")
    assert not program.is_found()
    (program.root / "app/program.debug").unlink()
    (program.root / "private/program.debug").rename(program.root / "app/program.debug")
    assert program.is_found()


@pytest.mark.parametrize("name", [b"../secret.debug", b"/secret.debug", b"..", b"."])
def test_the_name_in_a_debug_link_is_no_path(program: Program, name: bytes) -> None:
    target = program.root / "secret.debug"
    program.debug.rename(target)
    padded = name + bytes(4 - len(name) % 4)
    link = padded + zlib.crc32(target.read_bytes()).to_bytes(4, "little")
    section = program.root / "link"
    section.write_bytes(link)
    run("objcopy", f"--update-section=.gnu_debuglink={section}", program.stripped)
    assert not program.is_found()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_a_file_that_its_owner_keeps_to_himself_is_not_read(program: Program) -> None:
    place = program.by_build_id
    program.debug.rename(place)
    os.chown(program.stripped, 65534, 65534)
    place.chmod(0o600)
    assert not program.is_found()
    os.chown(place, 65534, 65534)
    assert program.is_found(), "the program's owner's"
    os.chown(place, 0, 0)
    place.chmod(0o644)
    assert program.is_found(), "everybody's"


def test_a_debug_file_of_another_build_costs_no_checksum(program: Program) -> None:
    place = program.root / "app/program.debug"
    with opened(program.debug) as file:
        build_id = bytes.fromhex(file.image.build_id)
    place.write_bytes(program.debug.read_bytes().replace(build_id, bytes(len(build_id))))
    budget = Budget(1, "")
    assert not program.is_found(budget)
    assert budget.allows(), "nothing was spent"


def test_sparse_files_are_not_summed_up(without_id: Program) -> None:
    place = without_id.root / "app/program.debug"
    with place.open("wb") as file:
        file.truncate(1 << 40)
    budget = Budget(1, "")
    assert not without_id.is_found(budget)
    assert budget.allows(), "nothing was spent"


def test_checksums_of_all_files_together_are_bounded(without_id: Program) -> None:
    without_id.debug.rename(without_id.root / "app/program.debug")
    size = (without_id.root / "app/program.debug").stat().st_size
    budget = Budget(size, "checksums")
    assert without_id.is_found(budget)
    assert not without_id.is_found(budget)
    assert list(budget.warnings) == ["checksums (1 left out)"]


@pytest.mark.parametrize("kind", ["fifo", "directory", "device"])
def test_only_regular_files(program: Program, kind: str) -> None:
    place = program.root / "app/program.debug"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "directory":
        place.mkdir()
    elif os.geteuid() == 0:
        os.mknod(place, 0o20644, os.makedev(1, 5))
    assert not program.is_found()
