"""Rows from instructions: assembled ones, those of real libraries, and hostile ones."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebprof._native import lib
from ebprof.elf import ElfImage, Section, memory_file
from ebprof.unwind.code import CODE_ENTRY, MAX_CODE, follow, symbols_of, with_code_rows
from ebprof.unwind.compile import UnwindRows, compile_rows, frame_sections
from ebprof.unwind.object_rows import object_rows
from tests import slow
from tests.unit.test_elf import with_section
from tests.unit.unwind.frame_builder import CODE, row_texts, rule_at, rule_text

LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
START = "sp+8 fp=same ra=code-8"
Assemble = Callable[[str], bytes]


@pytest.fixture
def assemble(tmp_path: Path) -> Assemble:
    """Turns AT&T syntax into bytes."""
    if not shutil.which("as"):
        pytest.skip("no assembler here")

    def run(text: str) -> bytes:
        source, output = tmp_path / "code.s", tmp_path / "code.o"
        source.write_text(text.replace(";", "\n") + "\n")
        subprocess.run(["as", "-o", str(output), str(source)], check=True)
        with output.open("rb", buffering=0) as file:
            code = ElfImage(file).section_data(".text")
        assert code is not None
        return code

    return run


def rows_of(code: bytes, *entries: tuple[int, int, int]) -> list[tuple[int, str]]:
    """Rows as text; entries: (offset, size, kind), else the first byte is one."""
    named = entries or ((0, len(code), 0),)
    made = np.array([(CODE + at, size, first) for at, size, first in named], CODE_ENTRY)
    return row_texts(follow(code, CODE, made))


def test_registers_are_pushed_and_popped(assemble: Assemble) -> None:
    code = assemble("push %rbx; push %rbp; sub $24, %rsp; add $24, %rsp; pop %rbp; pop %rbx; ret")
    assert rows_of(code) == [
        (0, START),
        (1, "sp+16 fp=same ra=code-8"),
        (2, "sp+24 fp=cfa-24 ra=code-8"),
        (6, "sp+48 fp=cfa-24 ra=code-8"),
        (10, "sp+24 fp=cfa-24 ra=code-8"),
        (11, "sp+16 fp=same ra=code-8"),
        (12, START),
        (13, "none"),
    ]


def test_a_frame_of_any_size_is_found_by_its_frame_pointer(assemble: Assemble) -> None:
    code = assemble("push %rbp; mov %rsp, %rbp; sub %rax, %rsp; and $-32, %rsp; leave; ret")
    assert rows_of(code) == [
        (0, START),
        (1, "sp+16 fp=cfa-16 ra=code-8"),
        (7, "fp+16 fp=cfa-16 ra=code-8"),
        (12, START),
        (13, "none"),
    ]


def test_without_a_frame_pointer_it_is_not_found(assemble: Assemble) -> None:
    code = assemble("sub %rax, %rsp; nop; ret")
    assert rows_of(code) == [(0, START), (3, "none")]


@pytest.mark.parametrize(
    "text",
    [
        "push %rax; ret",
        "ret $8",
        "test %rdi, %rdi; jz 1f; push %rax; 1: ret",
        "sub %rax, %rsp; jz 1f; 1: ret",
        "test %rdi, %rdi; jz 1f; sub %rax, %rsp; 1: nop; ret",
    ],
)
def test_code_that_contradicts_itself_has_no_rows(text: str, assemble: Assemble) -> None:
    assert len(rows_of(assemble(text))) <= 2
    assert all(texts == START or texts == "none" for _, texts in rows_of(assemble(text)))


@pytest.mark.parametrize(
    "text",
    ["hlt", "ud2", "int3", "syscall", "iretq", "mov %ds, %eax; retfq", "in %dx, %al"],
)
def test_what_is_not_known_ends_a_path(text: str, assemble: Assemble) -> None:
    if text == "syscall":
        text = "mov $58, %eax; syscall"
    code = assemble(f"{text}; push %rax")
    assert [row for _, row in rows_of(code)] == [START, "none"]
    assert rows_of(code)[-1][0] <= len(code) - 1


@pytest.mark.parametrize(
    "text",
    [
        "imul $1000, 0x1234(%rax,%rbx,4), %ecx",
        "mov $0x1122334455667788, %rax",
        "movabs $1, %r11; lock cmpxchg %rcx, (%rdi)",
        "testb $1, 0x11223344(%rip); test $0x1234, %cx",
        "vpaddd %ymm4, %ymm5, %ymm5; vzeroupper",
        "vpshufb (%rsp), %xmm4, %xmm5; pshufd $3, %xmm5, %xmm4",
        "vpaddq 64(%rsi), %zmm4, %zmm5{%k1}",
        "mov %ah, %ch; mov %dh, %bh; setne %ch",
        "movq %xmm4, %xmm5; cvttsd2si %xmm1, %rax; rorx $5, %rax, %rcx",
        "mov %rsp, %rax; mov %rbp, 0x10(%rdi); cmp %rsp, %rbp; lea 8(%rsp,%rcx), %rdx",
        "rep movsb; cld; cqto; bswap %r12; xchg %rax, %r12; nopw 0x200(%rax,%rax,1)",
        "fldl 8(%rdi); fstpl (%rsi); prefetcht0 (%rdi); mfence; pause; cpuid; rdtsc",
        "andn %rax, %rcx, %rdx; shlx %rax, %rcx, %rdx; popcnt %rax, %rbx; endbr64",
    ],
)
def test_what_leaves_the_stack_alone(text: str, assemble: Assemble) -> None:
    code = assemble(f"{text}; push %rax; pop %rax; ret")
    assert rows_of(code) == [
        (0, START),
        (len(code) - 2, "sp+16 fp=same ra=code-8"),
        (len(code) - 1, START),
        (len(code), "none"),
    ]


@pytest.mark.parametrize("text", ["mov %rax, %rbp", "xor %ebp, %ebp", "lea 8(%rax), %rbp"])
def test_a_lost_frame_pointer_is_said(text: str, assemble: Assemble) -> None:
    code = assemble(f"{text}; nop; ret")
    assert rows_of(code)[1][1] == "sp+8 fp=? ra=code-8"


def test_functions_that_are_called_jumped_to_or_named_are_followed(assemble: Assemble) -> None:
    function = "push %rax; pop %rax; ret"
    text = f"""
        call 1f; lea 2f(%rip), %rax; jmp 3f
        .skip 20, 0x90; 1: {function}
        .p2align 4, 0x90; 2: {function}
        .skip 40, 0x90; 3: {function}
    """
    pushed = [row for _, row in rows_of(assemble(text), (0, 17, 0))].count(
        "sp+16 fp=same ra=code-8"
    )
    assert pushed == 3


def test_a_part_elsewhere_that_looks_like_a_function_is_none(assemble: Assemble) -> None:
    """gcc's `function.cold`: a symbol with a size, entered by a jump with a frame on the stack."""
    code = assemble("push %rax; test %rdi, %rdi; jz 1f; pop %rax; ret; .skip 11; 1: nop; hlt")
    cold = len(code) - 2
    for entries in ([(0, 8, 0), (cold, 2, 0)], [(cold, 2, 0), (0, 8, 0)]):
        rows = rows_of(code, *entries)
        assert rows[-1] == (8, "none")
        assert (1, "sp+16 fp=same ra=code-8") in rows


def test_a_function_goes_on_behind_a_call_and_padding_if_it_is_reached_there_too(
    assemble: Assemble,
) -> None:
    """A loop is aligned behind a call; and so is what follows a call that never returns."""
    other = ".p2align 4; push %rbx; pop %rbx; ret; 9: ret"
    loop = "call 9f; .p2align 4; 1: inc %rdi; call 9f; .p2align 4; inc %rsi; jnz 1b"
    code = assemble(f"push %rax; test %rdi, %rdi; jz 2f; {loop}; 2: pop %rax; ret; {other}")
    framed = "sp+16 fp=same ra=code-8"
    assert rows_of(code, (0, 0, 0)) == [
        (0, START),
        (1, framed),
        (38, START),
        (39, "none"),
        (len(code) - 1, START),
        (len(code), "none"),
    ]
    code = assemble(f"push %rax; call 9f; {other}")
    assert rows_of(code, (0, 0, 0))[1:3] == [(1, framed), (6, "none")]


def test_the_programs_entry_is_the_outermost_frame(assemble: Assemble) -> None:
    code = assemble("xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call 1f; nop; 1: ret")
    rows = rows_of(code, (0, 0, 1))
    assert rows[0][1].endswith("ra=end")
    assert rows[-2] == (len(code) - 1, START)


def test_what_other_code_calls_is_followed() -> None:
    """As in musl's library, whose assembly has no symbols, and which has no rows."""
    path = Path("/usr/lib/x86_64-linux-musl/libc.so")
    if not path.exists():
        pytest.skip("no musl here")
    with path.open("rb", buffering=0) as file:
        image = ElfImage(file)
        rows = object_rows(image, frame_sections(image)).rows
    assert rows is not None
    assert (rows.dictionary["ra_kind"][rows.rules] == lib.RA_AFTER_CLONE).any()


EITHER, NEW = "sp+8 fp=same ra=code-8 or end", "ra=end"


def test_behind_clone_the_new_thread_has_no_caller(assemble: Assemble) -> None:
    """As musl has it, all in one function."""
    code = assemble("""
        xor %eax, %eax; mov $56, %al; mov 8(%rsp), %r10
        syscall; test %eax, %eax; jnz 1f
        xor %ebp, %ebp; pop %rdi; call *%r9; mov %eax, %edi; xor %eax, %eax; mov $60, %al
        syscall; hlt; 1: ret
    """)
    rows = dict(rows_of(code))
    call = code.index(b"\x0f\x05")
    assert rows[0] == START
    assert rows[call] == EITHER
    assert rows[call + 6].endswith(NEW)  # the syscall, test and jnz have 2 bytes each
    assert rows[len(code) - 1] == START


def test_what_changes_rax_behind_clone_ends_a_path(assemble: Assemble) -> None:
    code = assemble("mov $56, %eax; syscall; mov %eax, %ecx; test %eax, %eax; jz 1f; ret; 1: hlt")
    assert rows_of(code) == [(0, START), (5, EITHER), (7, "none")]


@pytest.mark.parametrize("number", [56, 435])
def test_the_part_of_clone_that_glibc_says_nothing_of(number: int, assemble: Assemble) -> None:
    code = assemble("syscall; test %rax, %rax; jl 1f; je 1f; ret; nop; 1: nop")
    rows = rows_of(code[:10], (0, 0, lib.ENTRY_CLONE))
    assert rows == [(0, EITHER), (9, START), (10, "none")]


def test_clone_of_the_c_library_has_rows() -> None:
    path = LIBRARIES / "libc.so.6"
    if not path.exists():
        pytest.skip(f"no {path} here")
    with path.open("rb", buffering=0) as file:
        image = ElfImage(file)
        rows = object_rows(image, frame_sections(image)).rows
    assert rows is not None
    kinds = rows.dictionary["ra_kind"][rows.rules]
    assert (kinds == lib.RA_AFTER_CLONE).sum() == 2  # clone and clone3


def test_where_signal_handlers_return_to(assemble: Assemble) -> None:
    code = assemble("nop; nop; mov $15, %rax; syscall; nop")
    signal = "*(sp+160)+0 fp=*sp+120 ra=*sp+168 signal"
    for entries in ([(0, 2, 0)], [(2, 9, 0)]):
        assert (2, signal) in [(max(at, 2), row) for at, row in rows_of(code, *entries)]
        assert rows_of(code, *entries)[-1] == (11, "none")


# ---- real code -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["libc.so.6", "libstdc++.so.6", "libcrypto.so.3"])
def test_rows_agree_with_call_frame_information(name: str) -> None:
    """The functions of a library, followed as if it had no unwind information, against what it has.

    The few that differ are assembly with wrong information: pushes that it does not mention.
    """
    path = LIBRARIES / name
    if not path.exists():
        pytest.skip(f"no {path} here")
    with path.open("rb", buffering=0) as file:
        image = ElfImage(file)
        section, *_ = frame_sections(image)
        told = compile_rows(section)
        same = differ = 0
        for found in follow_pieces(image):
            a, b = compare(found, told)
            same, differ = same + a, differ + b
    assert same > 10_000
    assert differ <= same / 1000


def follow_pieces(image: ElfImage) -> list[UnwindRows]:
    """All functions with symbols, a MAX_CODE at a time."""
    entries = symbols_of(image)
    entries = entries[np.unique(entries["address"], return_index=True)[1]]
    found = []
    for segment in image.segments:
        for start in range(0, segment.file_size if segment.executable else 0, MAX_CODE):
            address = segment.address + start
            size = min(MAX_CODE, segment.file_size - start)
            code = image.contents(Section("", address, segment.offset + start, size))
            inside = entries["address"] - np.uint64(address) < len(code)
            found.append(follow(code, address, entries[inside]))
    return found


def compare(found: UnwindRows, told: UnwindRows) -> tuple[int, int]:
    """Rows with the same CFA from the same register, and with another."""
    places = told.base + told.offsets.astype(np.int64)
    same = differ = 0
    for at, number in zip(found.offsets.tolist(), found.rules.tolist(), strict=True):
        ours = found.dictionary[number]
        index = int(np.searchsorted(places, found.base + at, "right")) - 1
        theirs = told.dictionary[told.rules[index]] if index >= 0 else told.dictionary[0]
        if ours["cfa_kind"] and ours["cfa_kind"] == theirs["cfa_kind"]:
            is_same = ours["cfa_offset"] == theirs["cfa_offset"]
            same, differ = same + is_same, differ + (not is_same)
    return same, differ


def test_init_and_fini_have_rows() -> None:
    path = LIBRARIES / "libstdc++.so.6"
    if not path.exists():
        pytest.skip(f"no {path} here")
    with path.open("rb", buffering=0) as file:
        image = ElfImage(file)
        section, *_ = frame_sections(image)
        init = image.section(".init")
        if init is None:
            pytest.skip("this libstdc++ has no .init")
        rows, followed = with_code_rows(image, compile_rows(section))
    assert rows is not None and 0 < followed < image.size  # of it all, calls are looked for
    assert rule_text(rule_at(rows, init.address)) == START


# ---- hostile code --------------------------------------------------------------------------------


@settings(max_examples=slow.examples(300))
@given(
    st.one_of(
        st.binary(min_size=1, max_size=300),
        st.lists(
            st.sampled_from([0x0F, 0x48, 0xE8, 0xEB, 0x74, 0x50, 0x5D, 0xC3, 0x00, 0xFE, 0x66]),
            min_size=1,
            max_size=200,
        ).map(bytes),
    ),
    st.lists(st.tuples(st.integers(0, 320), st.integers(0, 400), st.integers(0, 1)), max_size=20),
)
def test_any_bytes(code: bytes, entries: list[tuple[int, int, int]]) -> None:
    made = np.array([(CODE + at, size, first) for at, size, first in entries], CODE_ENTRY)
    rows = follow(code, CODE, made)
    assert (np.diff(rows.offsets.astype(np.int64)) > 0).all()
    assert (rows.rules[1:] != rows.rules[:-1]).all()
    assert (rows.rules < len(rows.dictionary)).all()
    if len(rows.rules):
        assert rows.rules[-1] == lib.RULE_NONE
        assert rows.offsets[-1] <= len(code) + 15


CALL_FAR_AND_BRANCH_BACK = struct.pack("<BiBb", 0xE8, MAX_CODE, 0x74, -7)
BRANCH_AHEAD_AND_CALL = struct.pack("<BbBiB", 0x74, 6, 0xE8, MAX_CODE, 0x90)  # and padding


@pytest.mark.parametrize("step", [CALL_FAR_AND_BRANCH_BACK, BRANCH_AHEAD_AND_CALL])
@pytest.mark.parametrize("is_sized", [False, True])
def test_time_is_linear_in_the_size(step: bytes, is_sized: bool) -> None:
    def seconds(size: int) -> float:
        code = (step * (size // len(step) + 1))[:size]
        start = time.thread_time()
        follow(code, CODE, np.array([(CODE, size * is_sized, 0)], CODE_ENTRY))
        return time.thread_time() - start

    small, large = (min(seconds(size) for _ in range(3)) for size in (MAX_CODE // 16, MAX_CODE))
    assert large < 100 * small


def test_a_section_that_is_larger_than_any_file() -> None:
    data = bytearray(with_section(b".init", b""))
    headers = int.from_bytes(data[40:48], "little")
    struct.pack_into("<Q", data, headers + 64 + 32, 36 << 30)
    with memory_file(bytes(data)) as file:
        image = ElfImage(file)
        assert [one.size for one in image.sections if one.name == ".init"] == [36 << 30]
        assert with_code_rows(image, None) == (None, 0)
