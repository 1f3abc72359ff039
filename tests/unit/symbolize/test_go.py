"""Go's own table of functions: each version of it, wherever it lies, and hostile ones."""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebprof import golang
from ebprof.elf import ElfImage, ObjectFile, memory_file
from ebprof.errors import BadFileError
from ebprof.golang import find_go_table
from ebprof.symbolize import Symbolizer
from ebprof.symbolize.functions import find_functions
from ebprof.symbolize.go import GoSymbols, read_go_symbols
from ebprof.symbolize.source import Call
from ebprof.unwind.object_rows import object_rows
from tests import slow, targets
from tests.unit.go_builder import END, INLINED, TEXT, WORK, GoFile
from tests.unit.symbolize.conftest import opened

VERSIONS = ("1.2", "1.16", "1.18", "1.20", "1.26", "1.27")
MAIN_GO, HELPER_GO = "/src/main.go", "/src/helper.go"
HIDDEN = {"section": ""}
RELRO = {"section": ".data.rel.ro.gopclntab"}


@contextmanager
def symbols_in(data: bytes) -> Iterator[GoSymbols | None]:
    with memory_file(data) as file:
        yield read_go_symbols(ElfImage(file))


def calls(file: GoFile, offset: int) -> list[Call]:
    with symbols_in(file.build()) as symbols:
        assert symbols is not None
        return list(symbols.find(TEXT + offset))


@pytest.mark.parametrize("pie", [False, True], ids=["exe", "pie"])
@pytest.mark.parametrize("place", [{}, RELRO, HIDDEN], ids=["section", "relro", "hidden"])
@pytest.mark.parametrize("version", VERSIONS)
def test_names_files_and_lines(version: str, place: dict[str, Any], pie: bool) -> None:
    file = GoFile(version, pie=pie, **place)
    assert calls(file, 0) == [Call("main.main", MAIN_GO, 10)]
    assert calls(file, WORK - 1) == [Call("main.main", MAIN_GO, 13)]
    assert calls(file, WORK) == [Call("main.work", HELPER_GO, 70)]
    assert calls(file, END - 1) == [Call("main.work", HELPER_GO, 71)]
    assert calls(file, END) == calls(file, -1) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_inlined_calls(version: str) -> None:
    """Before Go 1.18 there is the line of the inlined function, under its caller's name."""
    for offset in (INLINED.start, INLINED.stop - 1):
        found = calls(GoFile(version, pie=True, section=""), offset)
        if version in ("1.2", "1.16"):
            assert found == [Call("main.main", HELPER_GO, 50)]
        else:
            helper = Call("main.helper", HELPER_GO, 50)
            assert found == [helper, Call("main.main", MAIN_GO, 12)]


@pytest.mark.parametrize("version", ["1.18", "1.20", "1.27"])
def test_unwind_rows_of_a_hidden_table(version: str) -> None:
    with memory_file(GoFile(version, section="", pie=True).build()) as file:
        rows = object_rows(ElfImage(file), ()).rows
    assert rows is not None
    assert (rows.base, int(rows.offsets[-1])) == (TEXT, END)


def test_functions_by_name() -> None:
    file = ObjectFile.from_memory(GoFile("1.27", section="", pie=True).build(), "/bin/go")
    try:
        assert [one.address for one in find_functions(file, "main.work")] == [TEXT + WORK]
        assert find_functions(file, "main.wor") == []
    finally:
        file.close()


def test_locations(symbolizer: Symbolizer) -> None:
    file = ObjectFile.from_memory(GoFile(section="", pie=True).build(), "/bin/go")
    try:
        address = TEXT + INLINED.start
        found = symbolizer.object_locations(file, [address])[address]
    finally:
        file.close()
    assert [frame.function for frame in found.frames] == ["main.helper", "main.main"]
    assert [frame.line for frame in found.frames] == [50, 12]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_only_looks_like_a_table_is_not_one(version: str) -> None:
    """Without a section that says so, module data have to."""
    with symbols_in(GoFile(version, section="", module=False).build()) as symbols:
        assert symbols is None


def test_a_section_does_without_module_data() -> None:
    assert calls(GoFile("1.20", module=False), WORK) == [Call("main.work", HELPER_GO, 70)]
    assert calls(GoFile("1.20", module=False), INLINED.start)[0].line == 50


def test_a_table_of_other_code_is_not_believed() -> None:
    """Functions outside of the object's code: a negative address, or another text."""
    data = bytearray(GoFile("1.27", section="").build())
    with memory_file(bytes(data)) as file:
        table = find_go_table(ElfImage(file))
    assert table is not None
    elsewhere = dataclasses.replace(table, text=2**64 - 16)
    with pytest.raises(BadFileError):
        GoSymbols(ElfImage(memory_file(bytes(data))), elsewhere)


@settings(max_examples=slow.examples(150), deadline=None)
@given(data=st.data())
def test_hostile_tables(data: st.DataObject) -> None:
    version = data.draw(st.sampled_from(VERSIONS))
    section = data.draw(st.sampled_from(["", ".gopclntab"]))
    file = bytearray(GoFile(version, section).build())
    places = st.one_of(st.integers(0x2000, 0x2400), st.integers(0x6000, len(file) - 1))
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=10)):
        file[at] = value
    with symbols_in(bytes(file)) as symbols, suppress(BadFileError):
        for offset in (0, INLINED.start, WORK, END - 1):
            for call in symbols.find(TEXT + offset) if symbols else ():
                assert call.name.isprintable() and call.line >= 0
        if symbols is not None:
            list(symbols.functions_with("main"))


def plain(name: str) -> str:
    """A linker's name as Go's runtime has it: `f[go.shape.int]` is `f[...]` there."""
    return re.sub(r"\[.*\]", "[...]", name.removesuffix(".abi0"))


def test_it_says_what_the_debug_information_says(gowork: Path, symbolizer: Symbolizer) -> None:
    with opened(gowork) as file:
        symbols = read_go_symbols(file.image)
        assert symbols is not None
        places = dict(symbols.functions_with("main."))
        assert {"main.main", "main.burn", "main.closures.func1"} <= places.keys()
        first, last = symbols._starts[[0, -1]].tolist()
        addresses = np.linspace(first, last - 1, 2000).astype(np.uint64).tolist()
        told = symbolizer.object_locations(file, addresses)
        ours = {at: [(one.name, one.line) for one in symbols.find(at)] for at in addresses}
    theirs = {at: [(plain(one.function), one.line) for one in told[at].frames] for at in addresses}
    known = [at for at in addresses if all(line for _, line in ours[at] + theirs[at])]
    assert len(known) > 0.9 * len(addresses)
    assert sum(len(ours[at]) > 1 for at in known) > 100
    differ = [at for at in known if ours[at] != theirs[at]]
    assert len(differ) < 0.02 * len(known), [(ours[at], theirs[at]) for at in differ[:5]]


@pytest.mark.parametrize("variant", ["stripped", "stripped_pie"])
def test_a_stripped_program(gowork: Path, variant: str) -> None:
    with opened(targets.build("gowork", variant)) as file:
        symbols = read_go_symbols(file.image)
        assert symbols is not None
        (burn,) = find_functions(file, "main.burn")
        (found,) = symbols.find(burn.address)
    assert (found.name, Path(found.file).name, found.line) == ("main.burn", "gowork.go", 28)


def test_the_search_for_a_table_ends_and_is_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of any size without section headers costs its author nothing."""
    monkeypatch.setattr(golang, "_MAX_SEARCHED", 3 << 20)
    monkeypatch.setattr(golang, "_PIECE", 1 << 20)
    size = 64 << 20
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    header += struct.pack("<IIQQQQQQ", 1, 6, 0, 0, 0, size, size, 4096)
    spent: list[int] = []
    with memory_file(header) as file:
        file.truncate(size)
        image = ElfImage(file)
        assert golang.find_go_table(image, spent.append) is None
        assert 3 << 20 <= sum(spent) < 5 << 20
        assert object_rows(image, []).bytes_read == sum(spent)
