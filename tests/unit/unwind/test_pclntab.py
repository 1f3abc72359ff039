"""Rows of Go programs, against the debug information of the same program, and hostile tables."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebprof._native import lib
from ebprof.elf import ElfImage, ObjectFile
from ebprof.golang import GO_1_20, GoTable, find_go_table
from ebprof.unwind.compile import FrameSection, UnwindRows, compile_rows
from ebprof.unwind.object_rows import object_rows
from ebprof.unwind.pclntab import compile_table, foreign_functions
from tests import slow, targets
from tests.unit import go_builder
from tests.unit.go_builder import GoFile
from tests.unit.unwind.frame_builder import rule_text

TEXT = 0x401000


def rows_of(path: Path) -> UnwindRows:
    with path.open("rb", buffering=0) as file:
        rows = object_rows(ElfImage(file), ()).rows
    assert rows is not None
    return rows


def told_by_debug_frame(path: Path) -> UnwindRows:
    with path.open("rb", buffering=0) as file:
        data = ElfImage(file).section_data(".debug_frame")
    assert data is not None
    return compile_rows(FrameSection(data, is_debug_frame=True))


def cfa_at(rows: UnwindRows, addresses: np.ndarray) -> np.ndarray:
    """CFA offsets from sp; 0: no row."""
    places = rows.base + rows.offsets.astype(np.int64)
    index = np.searchsorted(places, addresses, "right") - 1
    rules = np.where(index < 0, 0, rows.rules[np.maximum(index, 0)])
    return rows.dictionary["cfa_offset"][rules]


def test_rows_agree_with_the_debug_information(gowork: Path) -> None:
    """But for the functions that leave their stack, which have no rows."""
    ours, told = rows_of(gowork), told_by_debug_frame(gowork)
    addresses = told.base + told.offsets.astype(np.int64)
    found, expected = cfa_at(ours, addresses), cfa_at(told, addresses)
    has_row = (found > 0) & (expected > 0)
    assert has_row.sum() > 5000
    assert has_row.sum() > 0.97 * (expected > 0).sum()
    differ = has_row & (found != expected)
    assert differ.sum() <= 0.001 * has_row.sum(), [hex(at) for at in addresses[differ][:10]]


@pytest.mark.parametrize("variant", ["stripped", "stripped_pie"])
def test_a_stripped_program_has_the_same_rows(gowork: Path, variant: str) -> None:
    ours, stripped = rows_of(gowork), rows_of(targets.build("gowork", variant))
    assert len(stripped.offsets) > 0.99 * len(ours.offsets)  # a C linker adds some of its own


@pytest.mark.parametrize("version", ["1.16", "1.18", "1.20", "1.26", "1.27"])
@pytest.mark.parametrize("pie", [False, True])
def test_functions_that_are_not_gos(version: str, pie: bool) -> None:
    for foreign in (True, False):
        data = GoFile(version, pie=pie, foreign=foreign).build()
        with ObjectFile.from_memory(data, "/bin/go").file as file:
            table = find_go_table(ElfImage(file))
        assert table is not None
        expected = [go_builder.TEXT + go_builder.WORK] if foreign and version != "1.16" else []
        assert foreign_functions(table) == expected


@given(st.binary(max_size=400), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_hostile_lists_of_functions(data: bytes, count: int, at: int) -> None:
    for numbers in ((count, at), (count % 60, at % 200)):
        header = struct.pack("<IHBBQ48xQ", GO_1_20, 0, 1, 8, *numbers)
        foreign_functions(GoTable(GO_1_20, 0, header + data, TEXT, 0))


def test_the_outermost_function_says_so(gowork: Path) -> None:
    rows = rows_of(gowork)
    texts = [rule_text(rule) for rule in rows.dictionary]
    assert "sp+8 fp=same ra=end" in texts


def table_of(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        data = ElfImage(file).section_data(".gopclntab")
    assert data is not None
    return data


@settings(max_examples=slow.examples(200), deadline=None)
@given(data=st.data())
def test_hostile_tables(gowork: Path, data: st.DataObject) -> None:
    table = bytearray(table_of(gowork)[: data.draw(st.integers(0, 20000))])
    changes = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=20)
    for at, value in data.draw(changes):
        if at < len(table):
            table[at] = value
    rows = compile_table(bytes(table), TEXT)
    if rows is not None and len(rows.offsets):
        assert (np.diff(rows.offsets.astype(np.int64)) > 0).all()
        assert rows.rules[-1] == lib.RULE_NONE


def test_functions_that_share_a_long_table_cost_no_more_than_others() -> None:
    """A hundred thousand functions with one table of as many steps would take 10**10 of them."""
    count = 100_000
    header = bytearray(72)
    header[:8] = b"\xf0\xff\xff\xff\x00\x00\x01\x08"
    steps = bytes([0, 2, 1]) + bytes([2, 1, 1, 1]) * count
    function = bytearray(40)
    deltas_at, functions_at = len(header), len(header) + len(steps)
    pairs = np.zeros((count + 1, 2), np.uint32)
    pairs[:, 0] = np.arange(count + 1) * 100_000 // 10
    pairs[:count, 1] = 8 * count + 8
    for at, value in [(8, count), (24, TEXT), (56, deltas_at), (64, functions_at)]:
        header[at : at + 8] = value.to_bytes(8, "little")
    function[16:20] = (1).to_bytes(4, "little")
    table = bytes(header) + steps + pairs.tobytes() + bytes(function)
    assert compile_table(table, TEXT) is None
