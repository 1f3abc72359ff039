"""From addresses in a live process to names, the way a profile is symbolized."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

import pytest

from ebprof.elf import ObjectFile
from ebprof.model import Mapping
from ebprof.procfs.maps import MapsEntry, open_object, read_maps
from ebprof.symbolize import Symbolizer
from tests.binutils import functions
from tests.unit.symbolize.conftest import STATICS, Compile, opened


def entry_at(address: int) -> MapsEntry:
    return next(e for e in read_maps(os.getpid()) if e.start <= address < e.end)


def object_address(file: ObjectFile, entry: MapsEntry, address: int) -> int:
    found = file.image.code_address(address - entry.start + entry.offset)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["getpid", "qsort", "strtol"])
def test_libc_functions_of_this_process(symbolizer: Symbolizer, name: str) -> None:
    address = ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value
    assert address is not None
    entry = entry_at(address)
    file = open_object(os.getpid(), entry)
    asked = object_address(file, entry, address)
    (location,) = symbolizer.object_locations(file, [asked]).values()
    file.close()
    assert location.frames[-1].function == name
    assert location.mapping is not None
    assert location.mapping.name == "libc.so.6"


def test_vdso(symbolizer: Symbolizer) -> None:
    entry = next(e for e in read_maps(os.getpid()) if e.path == "[vdso]")
    file = open_object(os.getpid(), entry)
    text = file.image.section(".text")
    assert text is not None
    asked = range(text.address, text.address + text.size, 16)
    locations = symbolizer.object_locations(file, asked)
    file.close()
    names = {location.frames[0].function for location in locations.values()}
    assert "clock_gettime" in {name.removeprefix("__vdso_") for name in names}
    assert all(
        location.mapping and location.mapping.path == "[vdso]" for location in locations.values()
    )


def test_unknown_locations(symbolizer: Symbolizer) -> None:
    location = symbolizer.unknown_location(0x1234, Mapping("/usr/lib/libfoo.so"))
    assert location.address == 0x1234
    assert location.frames[0].function == "[libfoo.so]+0x1234"
    assert symbolizer.unknown_location(0x10).frames[0].function == "[anon]+0x10"


@pytest.mark.parametrize("address", [0, -1, 1 << 40, (1 << 64) - 1, 1 << 70])
def test_addresses_outside(compile_program: Compile, symbolizer: Symbolizer, address: int) -> None:
    with opened(compile_program(STATICS, "gcc", "-O2", "-g"), "/app/program") as file:
        (location,) = symbolizer.object_locations(file, [address]).values()
    assert location.frames[0].function == f"[program]+0x{address:x}"


def test_several_threads(compile_program: Compile, symbolizer: Symbolizer) -> None:
    path = compile_program(STATICS, "gcc", "-O2", "-g")
    start, size = functions(path)["visible"]
    wrong: list[str] = []

    def look_up() -> None:
        for address in range(start, start + size):
            (location,) = symbolizer.object_locations(file, [address]).values()
            if location.frames[-1].function != "visible":
                wrong.append(location.frames[-1].function)

    with opened(path) as file:
        threads = [threading.Thread(target=look_up) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_without_a_place_to_cache_it_works(compile_program: Compile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    symbolizer = Symbolizer(cache=tmp_path / "file" / "symcache")
    path = compile_program(STATICS, "gcc", "-O2", "-g")
    with opened(path) as file:
        (location,) = symbolizer.object_locations(file, [functions(path)["visible"][0]]).values()
    assert location.frames[-1].line
    assert "symbols are not cached" in symbolizer.warnings[0]
    symbolizer.close()
