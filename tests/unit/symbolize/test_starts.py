"""Code without names is called by where its function begins."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ebprof.elf import ElfImage, ObjectFile, open_regular
from ebprof.symbolize import Symbolizer
from ebprof.symbolize.bounds import bounds_of, function_extents
from tests import binutils, objects, stripped, targets
from tests.unit.symbolize.conftest import Compile

LEAST = 20
SOURCE = r"""
int main(void) { return 0; }
__asm__(".text\n.balign 64\n.globl described, bare\n"
        "described: .cfi_startproc\n nop; nop; nop; nop; ret\n.cfi_endproc\n"
        "bare: nop; nop; nop; ret\n");
"""


def address_of(path: Path, symbol: str) -> int:
    """Where a symbol is that has neither size nor type."""
    lines = (line.split() for line in binutils.run("nm", path).splitlines())
    return next(int(words[0], 16) for words in lines if words[-1] == symbol)


def names(path: Path, addresses: list[int]) -> list[str]:
    """What the tool calls the outermost function of each address."""
    found = objects.frames_by_tool(path, addresses)
    return [found[one][-1].function for one in addresses]


@pytest.mark.parametrize("variant", ["default", "static", "static_pie", "no_pie"])
def test_a_function_is_one_whatever_its_address(variant: str, tmp_path: Path) -> None:
    """Static programs have no index of their `.eh_frame`."""
    whole = targets.build("split", variant)
    path = stripped.without_symbols(whole, tmp_path / "split")
    functions = binutils.functions(whole)
    for name in ("sixty", "thirty", "ten", "serve", "main"):
        start, size = functions[name]
        assert set(names(path, [*range(start, start + size)])) == {f"[split]+{start:#x}"}


def test_as_many_names_as_functions(tmp_path: Path) -> None:
    whole = targets.build("demo")
    path = stripped.without_symbols(whole, tmp_path / "demo")
    places = {place for place in binutils.functions(whole).values() if place[1] >= LEAST}
    addresses = [at for start, size in places for at in range(start, start + size, 7)]
    assert len(set(names(path, addresses))) == len(places)


def test_what_nothing_describes_keeps_its_address(compile_program: Compile, tmp_path: Path) -> None:
    whole = compile_program(SOURCE, "gcc", "-O2")
    path = stripped.without_symbols(whole, tmp_path / "program")
    described = address_of(whole, "described")
    found = names(path, [described + 4, described + 5, described + 6])
    places = [described, described + 5, described + 6]
    assert found == [f"[program]+{one:#x}" for one in places]


def test_symbols_come_first(tmp_path: Path) -> None:
    """What keeps its name in a stripped library is called by it, the rest by where it begins."""
    whole = targets.build("pltlib")
    path = stripped.without_symbols(whole, tmp_path / "pltlib.so")
    exported = binutils.functions(whole)
    addresses = [start + size // 2 for start, size in exported.values()]
    kinds = Counter(name.startswith("[") for name in names(path, addresses))
    assert kinds[False] >= 1


def test_garbage_in_place_of_unwind_information(tmp_path: Path) -> None:
    whole = targets.build("split")
    path = stripped.without_symbols(whole, tmp_path / "split")
    with open_regular(str(path)) as file:
        section = ElfImage(file).section(".eh_frame")
    assert section is not None
    data = bytearray(path.read_bytes())
    start = binutils.functions(whole)["sixty"][0]
    for filling in (b"\xff", b"\0", b"\x10"):
        data[section.offset : section.offset + section.size] = filling * section.size
        path.write_bytes(data)
        assert names(path, [start + 1]) == [f"[split]+{start + 1:#x}"]


def test_extents_are_those_that_readelf_lists() -> None:
    path = targets.build("demo")
    with open_regular(str(path)) as file:
        image = ObjectFile.open(file, str(path)).image
        extents = function_extents(image)
    listed = {
        tuple(int(one, 16) for one in line.split("pc=")[1].split(".."))
        for line in binutils.run("readelf", "--debug-dump=frames", path).splitlines()
        if " FDE " in line
    }
    found = list(zip(extents.starts.tolist(), extents.ends.tolist(), strict=True))
    assert set(found) == {one for one in listed if one[0] < one[1]}
    assert found == sorted(found)
    assert len(bounds_of(extents)) == 2 * len(found)


def test_locations_keep_their_addresses(tmp_path: Path) -> None:
    whole = targets.build("split")
    path = stripped.without_symbols(whole, tmp_path / "split")
    start, size = binutils.functions(whole)["sixty"]
    file = ObjectFile.open(open_regular(str(path)), str(path))
    symbolizer = Symbolizer(cache=None)
    found = symbolizer.object_locations(file, [start, start + size - 1])
    assert [one.address for one in found.values()] == [*found]
    symbolizer.close()
    file.close()
