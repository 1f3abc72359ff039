"""Rows of libraries that every process maps, against readelf and an evaluator of expressions."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from elftools.dwarf.callframe import FDE, CFARule, RegisterRule
from elftools.dwarf.dwarf_expr import DWARFExprParser
from elftools.elf.elffile import ELFFile

from ebprof._native import lib
from ebprof.elf import ElfImage
from ebprof.unwind.compile import UnwindError, UnwindRows, compile_rows, frame_sections
from ebprof.unwind.object_rows import object_rows
from tests import slow
from tests.differential.eh_frame_readelf import Comparison, compare_file
from tests.targets import MissingCompilerError, build
from tests.unit.unwind.frame_builder import rule_at

RBP, RSP, RIP = 6, 7, 16
DW_CFA_DEF_CFA_EXPRESSION, DW_CFA_EXPRESSION = 0x0F, 0x10
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")

needs_readelf = pytest.mark.skipif(not shutil.which("readelf"), reason="no readelf here")


def compare_library(name: str) -> Comparison:
    path = LIBRARIES / name
    if not path.exists():
        pytest.skip(f"no {path} here")
    comparison = compare_file(path)
    assert comparison is not None
    return comparison


@needs_readelf
@pytest.mark.parametrize(
    ("name", "rows", "unsupported"),
    [
        ("libc.so.6", 20_000, 10),
        ("ld-linux-x86-64.so.2", 1_000, 10),
        ("libstdc++.so.6", 20_000, 0),
        ("libcrypto.so.3", 50_000, 10),
        pytest.param("libLLVM.so.19.1", 1_000_000, 0, marks=slow.only),
        pytest.param("libclang-cpp.so.19.1", 1_000_000, 0, marks=slow.only),
    ],
)
def test_libraries_agree_with_readelf(name: str, rows: int, unsupported: int) -> None:
    comparison = compare_library(name)
    assert comparison.rows > rows
    assert not comparison.differ
    assert comparison.unsupported <= unsupported
    assert comparison.agree > 0.99 * comparison.rows


@needs_readelf
def test_the_vdso_agrees_with_readelf(tmp_path: Path) -> None:
    path = tmp_path / "vdso.so"
    path.write_bytes(read_vdso())
    comparison = compare_file(path)
    assert comparison is not None and not comparison.differ
    assert comparison.agree == comparison.rows > 10


def read_vdso() -> bytes:
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith("[vdso]"):
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            with Path("/proc/self/mem").open("rb", buffering=0) as memory:
                memory.seek(start)
                return memory.read(end - start)
    pytest.skip("no vDSO here")


@needs_readelf
def test_debug_frame_agrees_with_readelf(tmp_path: Path) -> None:
    path = only_debug_frame(tmp_path)
    with path.open("rb", buffering=0) as file:
        (section,) = frame_sections(ElfImage(file))
    assert section.is_debug_frame
    comparison = compare_file(path)
    assert comparison is not None and not comparison.differ and comparison.agree > 100


@needs_readelf
@pytest.mark.parametrize("compression", ["none", "zlib", "zlib-gnu", "zstd"])
def test_what_the_c_runtimes_frames_leave_is_in_debug_frame(
    tmp_path: Path, compression: str
) -> None:
    """Rows for both: `_start` has them in .eh_frame, `main` in .debug_frame."""
    path = tmp_path / "split"
    command = ["objcopy", f"--compress-debug-sections={compression}"]
    try:
        source = build("split", "debug_frame")
    except MissingCompilerError as error:
        pytest.skip(str(error))
    if subprocess.run([*command, str(source), str(path)], capture_output=True).returncode:
        pytest.skip(f"this objcopy does not know {compression}")
    with path.open("rb", buffering=0) as file:
        image = ElfImage(file)
        sections = frame_sections(image)
        rows = object_rows(image, sections).rows
        symbols = {symbol.name: symbol["st_value"] for symbol in symbols_of(file)}
    assert [section.is_debug_frame for section in sections] == [False, True]
    assert rows is not None
    assert rule_at(rows, symbols["_start"])["ra_kind"] == lib.RA_UNDEFINED
    assert rule_at(rows, symbols["main"])["ra_kind"] == lib.RA_AT_CFA
    alone = compile_rows(sections[1])
    assert rule_at(rows, symbols["main"] + 10) == rule_at(alone, symbols["main"] + 10)


def test_a_section_that_cannot_be_used_leaves_the_other(tmp_path: Path) -> None:
    path = only_debug_frame(tmp_path)
    (tmp_path / "garbage").write_bytes(b"\xff" * 100)
    options = ["--add-section", f".eh_frame={tmp_path / 'garbage'}"]
    subprocess.run(["objcopy", *options, str(path)], check=True)
    with path.open("rb", buffering=0) as file:
        image = ElfImage(file)
        broken, whole = frame_sections(image)
        with pytest.raises(UnwindError):
            object_rows(image, [broken])
        rows, alone = object_rows(image, [broken, whole]).rows, object_rows(image, [whole]).rows
    assert rows is not None and alone is not None
    assert rows.offsets.tolist() == alone.offsets.tolist()


def symbols_of(file: BinaryIO) -> list[Any]:
    table: Any = ELFFile(file).get_section_by_name(".symtab")
    return list(table.iter_symbols())


def only_debug_frame(directory: Path) -> Path:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here")
    source, path = directory / "many.c", directory / "many.so"
    functions = (
        f"int f{n}(char *); int g{n}(int x) {{ char b[{n + 9}]; return f{n}(b) + b[x]; }}"
        for n in range(60)
    )
    source.write_text("\n".join(functions))
    flags = ["-g", "-O2", "-shared", "-fPIC", "-fno-asynchronous-unwind-tables", "-nostdlib"]
    subprocess.run([compiler, *flags, "-o", str(path), str(source)], check=True)
    subprocess.run(["objcopy", "-R", ".eh_frame", "-R", ".eh_frame_hdr", str(path)], check=True)
    return path


# ---- expressions, evaluated ----------------------------------------------------------------------

Registers = dict[int, int]


def memory(address: int) -> int:
    """What lies at an address: some number that depends on all of its bits."""
    return (address * 0x9E3779B97F4A7C15 ^ address >> 7) % 2**64


def evaluate(operations: Any, registers: Registers) -> int:
    """A DWARF expression of the operations that occur in call frame information."""
    stack: list[int] = []
    binary: dict[str, Callable[[int, int], int]] = {
        "DW_OP_plus": lambda a, b: a + b,
        "DW_OP_minus": lambda a, b: a - b,
        "DW_OP_and": lambda a, b: a & b,
        "DW_OP_shl": lambda a, b: a << b,
        "DW_OP_ge": lambda a, b: int(a >= b),
    }
    for operation in operations:
        name, args = operation.op_name, operation.args
        if name.startswith("DW_OP_breg"):
            stack.append(registers[int(name.removeprefix("DW_OP_breg"))] + args[0])
        elif name.startswith("DW_OP_lit"):
            stack.append(int(name.removeprefix("DW_OP_lit")))
        elif name.startswith("DW_OP_const"):
            stack.append(args[0])
        elif name == "DW_OP_plus_uconst":
            stack.append(stack.pop() + args[0])
        elif name == "DW_OP_deref":
            stack.append(memory(stack.pop()))
        else:
            second = stack.pop()
            stack.append(binary[name](stack.pop(), second))
        stack[-1] %= 2**64
    (result,) = stack
    return result


def our_cfa(rule: Any, registers: Registers) -> int | None:
    sp, fp = registers[RSP], registers[RBP]
    at, addend = int(rule["cfa_offset"]), int(rule["cfa_addend"])
    return {
        lib.CFA_UNSUPPORTED: None,
        lib.CFA_SP: sp + at,
        lib.CFA_FP: fp + at,
        lib.CFA_REGISTER: registers[int(rule["cfa_register"])] + at,
        lib.CFA_PLT: sp + at + (8 if registers[RIP] & 15 >= addend else 0),
        lib.CFA_DEREF_SP: memory(sp + at) + addend,
        lib.CFA_DEREF_FP: memory(fp + at) + addend,
    }[int(rule["cfa_kind"])]


def our_saved_at(rule: Any, reg: int, registers: Registers) -> int | None:
    sp, fp = registers[RSP], registers[RBP]
    if reg == RIP:
        return sp + int(rule["ra_offset"]) if rule["ra_kind"] == lib.RA_AT_SP else None
    at = int(rule["fp_offset"])
    return {lib.FP_AT_SP: sp + at, lib.FP_AT_FP: fp + at}.get(int(rule["fp_kind"]))


def expression_rows(path: Path) -> list[tuple[int, dict[Any, Any]]]:
    """(pc, row) of pyelftools' rows with an expression for the CFA, rbp or rip."""
    with path.open("rb", buffering=0) as file:
        entries = ELFFile(file).get_dwarf_info().EH_CFI_entries()
        rows = [row for entry in entries if isinstance(entry, FDE) for row in decoded(entry)]
    return [(row["pc"], row) for row in rows if any(expressions_in(row))]


def decoded(entry: FDE) -> list[dict[Any, Any]]:
    opcodes = {instruction.opcode for instruction in entry.instructions}
    has_expression = not opcodes.isdisjoint({DW_CFA_DEF_CFA_EXPRESSION, DW_CFA_EXPRESSION})
    return entry.get_decoded().table if has_expression else []


def expressions_in(row: dict[Any, Any]) -> list[Any]:
    found = [row["cfa"].expr] if row["cfa"].expr is not None else []
    for reg in (RBP, RIP):
        rule = row.get(reg)
        if rule is not None and rule.type == RegisterRule.EXPRESSION:
            found.append(rule.arg)
    return found


def check_row(rows: UnwindRows, pc: int, row: dict[Any, Any], parser: DWARFExprParser) -> None:
    rule = rule_at(rows, pc)
    for seed in range(20):
        registers = {reg: memory(seed * 100 + reg) & ~7 for reg in range(16)} | {RIP: pc + seed}
        cfa: CFARule = row["cfa"]
        if cfa.expr is not None:
            expected = evaluate(parser.parse_expr(cfa.expr), registers)
            ours = our_cfa(rule, registers)
            assert ours is not None and ours % 2**64 == expected, hex(pc)
        for reg in (RBP, RIP):
            saved = row.get(reg)
            if saved is not None and saved.type == RegisterRule.EXPRESSION:
                expected = evaluate(parser.parse_expr(saved.arg), registers)
                place = our_saved_at(rule, reg, registers)
                assert place is not None and place % 2**64 == expected, hex(pc)


def check_expressions(path: Path) -> int:
    with path.open("rb", buffering=0) as file:
        section, *_ = frame_sections(ElfImage(file))
        parser = DWARFExprParser(ELFFile(file).get_dwarf_info().structs)
    rows = compile_rows(section)
    found = expression_rows(path)
    for pc, row in found:
        check_row(rows, pc, row, parser)
    return len(found)


def test_expressions_of_libc_mean_what_they_say() -> None:
    name = find_library("c")
    assert name is not None
    assert check_expressions(LIBRARIES / name) >= 2  # PLT, signal return


def test_expressions_of_realigned_stacks_mean_what_they_say() -> None:
    try:
        path = build("features", "lazy")
    except MissingCompilerError as error:
        pytest.skip(str(error))
    assert check_expressions(path) >= 3  # PLT; CFA and rbp under DRAP
