"""Names that only this machine knows; addresses in files stay addresses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebprof.elf import ObjectFile
from ebprof.model import Mapping
from ebprof.procfs.maps import open_object, read_maps
from ebprof.symbolize.ids import object_id
from ebprof.symbolize.node import NodeSymbolizer
from tests import binutils, objects, stripped
from tests.unit.symbolize.conftest import INLINED, Compile, opened


class World:
    """A symbolizer, and what it has met."""

    def __init__(self) -> None:
        self.met: list[str] = []
        self.symbolizer = NodeSymbolizer(lambda identity, file: self.met.append(identity))


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    yield found
    found.symbolizer.close()


def test_addresses_in_files_have_no_names(compile_program: Compile, world: World) -> None:
    path = compile_program(INLINED, "g++", "-O2", "-g")
    start, _ = binutils.functions(path)["main"]
    with opened(path, "/app/program") as file:
        (location,) = world.symbolizer.object_locations(file, [start]).values()
        world.symbolizer.object_locations(file, [start])
        assert world.met == [object_id(file.image)]
        world.symbolizer.object_locations(file, [start + 1])
    assert location.frames == ()
    assert location.mapping == objects.mapping_of(path, start, "/app/program")
    assert len(world.met) == 2, "each time there are new addresses"


def test_what_has_no_build_id_is_known_by_its_hash(
    compile_program: Compile, world: World, tmp_path: Path
) -> None:
    path = stripped.without_build_id(
        compile_program(INLINED, "g++", "-O2", "-g"), tmp_path / "program"
    )
    start, _ = binutils.functions(path)["main"]
    with opened(path) as file:
        (location,) = world.symbolizer.object_locations(file, [start]).values()
    assert location.mapping is not None
    assert location.mapping.build_id.startswith("htl-")
    assert world.met == [location.mapping.build_id]


def test_the_vdso_has_names(world: World) -> None:
    entry = next(one for one in read_maps(os.getpid()) if one.path == "[vdso]")
    file = open_object(os.getpid(), entry)
    text = file.image.section(".text")
    assert text is not None
    found = world.symbolizer.object_locations(file, range(text.address, text.address + text.size))
    file.close()
    assert "clock_gettime" in {
        frame.function.removeprefix("__vdso_") for one in found.values() for frame in one.frames
    }
    assert world.met == []


def test_a_file_that_cannot_be_read_any_more_costs_its_own_names(
    compile_program: Compile, world: World, tmp_path: Path
) -> None:
    path = stripped.without_build_id(
        compile_program(INLINED, "g++", "-O2", "-g"), tmp_path / "program"
    )
    with opened(path, "/app/program") as file:
        gone = ObjectFile(file.path, file.file, file.image, file.root, file.key)
    (location,) = world.symbolizer.object_locations(gone, [0x1234]).values()
    assert location.frames[0].function == "[program]+0x1234"
    assert location.mapping == Mapping("/app/program")
    assert world.met == []
