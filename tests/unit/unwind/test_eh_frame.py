"""What the compiler makes of each instruction, encoding and oddity."""

from __future__ import annotations

import struct
import time

import pytest

from ebprof._native import lib
from ebprof.errors import BadFileError
from ebprof.unwind.compile import FrameSection, UnwindError, compile_rows
from tests.unit.unwind.frame_builder import (
    ABSPTR,
    ADDRESS,
    ALIGNED,
    AND,
    CODE,
    CONST1S,
    CONST1U,
    CONST2S,
    CONST2U,
    CONST4S,
    CONST4U,
    CONSTS,
    CONSTU,
    DATAREL,
    DEREF,
    FUNCREL,
    GE,
    INDIRECT,
    MINUS,
    NOP,
    PCREL,
    PLUS,
    R8,
    R9,
    R10,
    RBP,
    RBX,
    RDI,
    RDX,
    REMEMBER,
    RESTORE_STATE,
    RIP,
    RSP,
    SDATA2,
    SDATA4,
    SDATA8,
    SHL,
    SLEB128,
    TEXTREL,
    UDATA2,
    UDATA4,
    UDATA8,
    ULEB128,
    SectionBuilder,
    advance,
    breg,
    def_cfa,
    def_cfa_expression,
    def_cfa_offset,
    def_cfa_register,
    eh_frame,
    expression,
    lit,
    offset,
    plus_uconst,
    register,
    restore,
    row_texts,
    same_value,
    sleb,
    uleb,
    undefined,
    val_expression,
)

START = "sp+8 fp=same ra=cfa-8"
DEREF_R10 = def_cfa_expression(breg(R10, 0), DEREF)


def only_rule(*program: bytes) -> str:
    """The rule of an FDE whose program never advances."""
    rows = row_texts(eh_frame(*program).compile())
    assert [at for at, _ in rows] == [0, 100] and rows[1][1] == "none"
    return rows[0][1]


@pytest.mark.parametrize(
    ("program", "cfa"),
    [
        (def_cfa(RSP, 24), "sp+24"),
        (def_cfa(RBP, 16), "fp+16"),
        (def_cfa(R10, 0), "r10+0"),
        (def_cfa(RIP, 0), "?"),
        (def_cfa(2**40, 0), "?"),
        (def_cfa(RSP, 2**31 - 1), "sp+2147483647"),
        (def_cfa(RSP, 2**31), "?"),
        (def_cfa(RSP, 2**63), "?"),
        (b"\x12" + uleb(RSP) + sleb(-3), "sp+24"),
        (def_cfa_register(RBP), "fp+8"),
        (def_cfa_register(RBP) + def_cfa_offset(16), "fp+16"),
        (b"\x13" + sleb(-4), "sp+32"),
        (def_cfa_expression(breg(RBX, 16)), "r3+16"),
        (def_cfa_expression(breg(RSP, 8), plus_uconst(8)), "sp+16"),
        (def_cfa_expression(b"\x92", uleb(RBP), sleb(16)), "fp+16"),
        (def_cfa_expression(breg(RSP, 280), DEREF, plus_uconst(8)), "*(sp+280)+8"),
        (def_cfa_expression(breg(RSP, 160), DEREF), "*(sp+160)+0"),
        (def_cfa_expression(breg(RBP, -8), DEREF), "*(fp-8)+0"),
        (def_cfa_expression(breg(RBP, -8), DEREF, lit(16), PLUS), "*(fp-8)+16"),
        (def_cfa_expression(breg(RBP, -8), DEREF, lit(16), MINUS), "*(fp-8)-16"),
        (def_cfa_expression(breg(RSP, 8), DEREF, CONST1U, b"\xff", PLUS), "*(sp+8)+255"),
        (def_cfa_expression(breg(RSP, 8), DEREF, CONST1S, b"\xff", PLUS), "*(sp+8)-1"),
        (def_cfa_expression(breg(RSP, 8), DEREF, CONST2U, b"\0\x01", PLUS), "*(sp+8)+256"),
        (def_cfa_expression(breg(RSP, 8), DEREF, CONST2S, b"\xfe\xff", PLUS), "*(sp+8)-2"),
        (def_cfa_expression(breg(RSP, 8), CONST4U, bytes([0, 0, 1, 0]), PLUS), "sp+65544"),
        (def_cfa_expression(breg(RSP, 8), DEREF, CONST4S, b"\xff" * 4, PLUS), "*(sp+8)-1"),
        (def_cfa_expression(breg(RSP, 8), DEREF, CONSTU, uleb(300), PLUS), "*(sp+8)+300"),
        (def_cfa_expression(breg(RSP, 8), DEREF, CONSTS, sleb(-300), PLUS), "*(sp+8)-300"),
        (def_cfa_expression(breg(RSP, 8), DEREF, plus_uconst(32768)), "?"),
        (DEREF_R10, "?"),
        (def_cfa_expression(breg(RSP, 8), DEREF, DEREF), "?"),
        (def_cfa_expression(breg(RSP, 8), breg(RBP, 8), PLUS), "?"),
        (def_cfa_expression(breg(RSP, 8), lit(8)), "?"),
        (def_cfa_expression(lit(8)), "?"),
        (def_cfa_expression(DEREF), "?"),
        (def_cfa_expression(plus_uconst(8)), "?"),
        (def_cfa_expression(), "?"),
        (def_cfa_expression(breg(RSP, 2**62), *[plus_uconst(2**62)] * 3), "?"),
        (def_cfa_expression(b"\x77"), "?"),  # breg7 without its operand
        (DEREF_R10 + def_cfa_offset(32), "?"),
        (DEREF_R10 + def_cfa(RSP, 32), "sp+32"),
    ],
)
def test_cfa(program: bytes, cfa: str) -> None:
    assert only_rule(program) == f"{cfa} fp=same ra=cfa-8"


def plt(threshold: bytes, bytes_pushed: bytes = lit(3)) -> bytes:
    return def_cfa_expression(
        breg(RSP, 8), breg(RIP, 0), lit(15), AND, threshold, GE, bytes_pushed, SHL, PLUS
    )


@pytest.mark.parametrize(
    ("program", "cfa"),
    [
        (plt(lit(11)), "plt+8@11"),
        (plt(lit(5)), "plt+8@5"),
        (plt(lit(11), lit(2)), "?"),
        (plt(PLUS), "?"),
        (plt(lit(11))[:-1], "?"),
    ],
)
def test_plt(program: bytes, cfa: str) -> None:
    program = b"\x0f" + uleb(len(program) - 2) + program[2:]
    assert only_rule(program) == f"{cfa} fp=same ra=cfa-8"


@pytest.mark.parametrize(
    ("program", "fp"),
    [
        (offset(RBP, 2), "cfa-16"),
        (offset(RBP, 4096), "cfa-32768"),
        (offset(RBP, 4097), "?"),
        (offset(RBP, 2**62), "?"),
        (offset(RBP, 2**63), "?"),
        (b"\x05" + uleb(RBP) + uleb(3), "cfa-24"),
        (b"\x11" + uleb(RBP) + sleb(-3), "cfa+24"),
        (b"\x2f" + uleb(RBP) + uleb(3), "cfa+24"),
        (b"\x2f" + uleb(RBP) + uleb(2**60), "?"),
        (same_value(RBP), "same"),
        (undefined(RBP), "?"),
        (register(RBP, R10), "r10"),
        (register(RBP, RBP), "same"),
        (register(RBP, RIP), "?"),
        (expression(RBP, breg(RSP, 120)), "*sp+120"),
        (expression(RBP, breg(RBP, 0)), "*fp+0"),
        (expression(RBP, breg(R10, 0)), "?"),
        (expression(RBP, breg(RSP, 8), DEREF), "?"),
        (expression(RBP, breg(RSP, 32768)), "?"),
        (val_expression(RBP, breg(RSP, 8)), "?"),
        (b"\x14" + uleb(RBP) + uleb(1), "?"),
        (b"\x15" + uleb(RBP) + sleb(-1), "?"),
        (offset(RBP, 2) + restore(RBP), "same"),
        (offset(RBP, 2) + b"\x06" + uleb(RBP), "same"),
        (register(RBP, R10) + offset(RBP, 2), "cfa-16"),
        (offset(RBX, 2), "same"),
        (b"\x2e" + uleb(1000), "same"),
    ],
)
def test_frame_pointer(program: bytes, fp: str) -> None:
    assert only_rule(program) == f"sp+8 fp={fp} ra=cfa-8"


@pytest.mark.parametrize(
    ("program", "ra"),
    [
        (undefined(RIP), "end"),
        (offset(RIP, 2), "cfa-16"),
        (expression(RIP, breg(RSP, 168)), "*sp+168"),
        (expression(RIP, breg(RBP, 8)), "?"),
        (same_value(RIP), "?"),
        (register(RIP, RBX), "r3"),
        (register(RIP, RSP), "r7"),
        (register(RIP, RIP), "?"),
        (val_expression(RIP, breg(RSP, 0)), "?"),
        (undefined(RIP) + restore(RIP), "cfa-8"),
    ],
)
def test_return_address(program: bytes, ra: str) -> None:
    assert only_rule(program) == f"sp+8 fp=same ra={ra}"


def test_what_a_function_with_a_frame_does() -> None:
    rows = eh_frame(
        advance(1) + def_cfa_offset(16) + offset(RBP, 2),
        advance(3) + def_cfa_register(RBP),
        advance(50) + REMEMBER + def_cfa(RSP, 8) + restore(RBP),
        advance(6) + RESTORE_STATE,
    ).compile()
    assert row_texts(rows) == [
        (0, START),
        (1, "sp+16 fp=cfa-16 ra=cfa-8"),
        (4, "fp+16 fp=cfa-16 ra=cfa-8"),
        (54, START),
        (60, "fp+16 fp=cfa-16 ra=cfa-8"),
        (100, "none"),
    ]
    assert rows.counters.fdes == 1 and not rows.counters.bad_fdes


@pytest.mark.parametrize(
    ("step", "distance"),
    [
        (b"\x41", 1),
        (b"\x02\x80", 128),
        (b"\x03\x00\x01", 256),
        (b"\x04\x00\x00\x01\x00", 65536),
        (b"\x1d" + struct.pack("<Q", 70000), 70000),
    ],
)
def test_advance(step: bytes, distance: int) -> None:
    rows = eh_frame(step, def_cfa_offset(16), length=100_000).compile()
    assert [at for at, _ in row_texts(rows)] == [0, distance, 100_000]


def test_code_alignment_scales_advances() -> None:
    rows = SectionBuilder().cie(code_alignment=4).fde(CODE, 64, advance(3), def_cfa_offset(16))
    assert [at for at, _ in row_texts(rows.compile())] == [0, 12, 64]


def test_set_loc_is_an_address() -> None:
    builder = SectionBuilder().cie(encoding=ABSPTR)
    builder.fde(CODE, 64, b"\x01", struct.pack("<Q", CODE + 8), def_cfa_offset(16))
    assert [at for at, _ in row_texts(builder.compile())] == [0, 8, 64]


def test_set_loc_does_not_go_back() -> None:
    builder = SectionBuilder().cie(encoding=ABSPTR)
    builder.fde(CODE, 64, advance(16), b"\x01", struct.pack("<Q", CODE + 8), def_cfa_offset(16))
    assert row_texts(builder.compile()) == [(0, START), (16, "? fp=? ra=?"), (64, "none")]


def test_rows_of_one_rule_are_one_row() -> None:
    rows = eh_frame(advance(8), offset(RBX, 2), advance(8), def_cfa_offset(8), advance(8))
    assert row_texts(rows.compile()) == [(0, START), (100, "none")]


def test_what_is_beyond_the_end_is_left_out() -> None:
    rows = eh_frame(advance(99), def_cfa_offset(16), advance(1), def_cfa_offset(24)).compile()
    assert row_texts(rows)[1:] == [(99, "sp+16 fp=same ra=cfa-8"), (100, "none")]


def test_functions_that_touch_have_no_gap() -> None:
    builder = SectionBuilder().cie().fde(CODE, 16).fde(CODE + 16, 16, def_cfa_offset(16))
    assert [at for at, _ in row_texts(builder.compile())] == [0, 16, 32]


def test_a_gap_has_no_row() -> None:
    builder = SectionBuilder().cie().fde(CODE, 16).fde(CODE + 20, 12)
    assert row_texts(builder.compile()) == [(0, START), (16, "none"), (20, START), (32, "none")]


def test_fdes_need_not_be_sorted() -> None:
    builder = SectionBuilder().cie()
    for number in range(50):
        start = CODE + number * 37 % 50 * 0x12345
        builder.fde(start, 0x12345, def_cfa_offset(16 + start % 0x700))
    rows = row_texts(builder.compile())
    assert [at for at, _ in rows] == [number * 0x12345 for number in range(51)]
    assert rows[7][1] == f"sp+{16 + (CODE + 7 * 0x12345) % 0x700} fp=same ra=cfa-8"


def test_an_fde_ends_where_the_next_begins() -> None:
    builder = SectionBuilder().cie().fde(CODE, 100, advance(50), def_cfa_offset(16))
    rows = builder.fde(CODE + 20, 10, def_cfa_offset(24)).compile()
    assert row_texts(rows) == [(0, START), (20, "sp+24 fp=same ra=cfa-8"), (30, "none")]
    assert rows.counters.cut_fdes == 1


def test_of_fdes_at_one_address_the_first_counts() -> None:
    builder = SectionBuilder().cie().fde(CODE, 10).fde(CODE, 100, def_cfa_offset(24))
    rows = builder.fde(CODE - 10, 5).compile()
    assert row_texts(rows) == [(-10, START), (-5, "none"), (0, START), (10, "none")]
    assert rows.counters.shadowed_fdes == 1


def test_empty_and_dropped_fdes_are_skipped() -> None:
    rows = SectionBuilder().cie(encoding=ABSPTR).fde(CODE, 0).fde(0, 10).fde(CODE, 8).compile()
    assert row_texts(rows) == [(0, START), (8, "none")]
    assert (rows.counters.fdes, rows.counters.empty_fdes) == (3, 2)


def test_fdes_outside_the_code_are_skipped() -> None:
    builder = SectionBuilder().cie().fde(CODE, 8).fde(CODE - 4, 8).fde(CODE + 60, 8)
    rows = builder.compile(code_start=CODE, code_limit=CODE + 64)
    assert row_texts(rows) == [(0, START), (8, "none")]
    assert rows.counters.outside_fdes == 2


def test_fdes_4_gib_apart_are_skipped() -> None:
    builder = SectionBuilder().cie(encoding=ABSPTR).fde(CODE, 8)
    rows = builder.fde(CODE + 2**32 - 9, 8).fde(CODE + 2**32 - 8, 8).compile()
    assert row_texts(rows)[-1] == (2**32 - 1, "none")
    assert rows.counters.outside_fdes == 1


@pytest.mark.parametrize(
    "encoding",
    [
        *(ABSPTR, UDATA4, UDATA8, SDATA4, SDATA8, ULEB128, SLEB128),
        *(PCREL | SDATA4, PCREL | SDATA8, PCREL | UDATA8, PCREL | ABSPTR, PCREL | SLEB128),
        *(TEXTREL | SDATA4, TEXTREL | SDATA8, DATAREL | SDATA4, DATAREL | SLEB128),
    ],
)
def test_encodings(encoding: int) -> None:
    rows = SectionBuilder().cie(encoding=encoding).fde(CODE, 32).compile()
    assert row_texts(rows) == [(0, START), (32, "none")]


@pytest.mark.parametrize("encoding", [UDATA2, SDATA2])
def test_encodings_of_two_bytes(encoding: int) -> None:
    rows = SectionBuilder().cie(encoding=encoding).fde(0x1234, 32).compile()
    assert (rows.base, rows.offsets.tolist()) == (0x1234, [0, 32])


@pytest.mark.parametrize(
    "encoding", [INDIRECT | PCREL | SDATA4, FUNCREL | SDATA4, ALIGNED, 0xFF, 0x05, 0x0F]
)
def test_encodings_that_cannot_be_used(encoding: int) -> None:
    builder = SectionBuilder().cie(encoding=encoding).fde(CODE, 32)
    rows = builder.cie().fde(CODE + 64, 32).compile()
    assert row_texts(rows) == [(64, START), (96, "none")]
    assert rows.counters.bad_fdes == 1


@pytest.mark.parametrize("version", [1, 3, 4])
@pytest.mark.parametrize("is_64_bit", [False, True])
@pytest.mark.parametrize("is_debug_frame", [False, True])
def test_versions_and_formats(version: int, is_64_bit: bool, is_debug_frame: bool) -> None:
    builder = SectionBuilder(is_debug_frame, is_64_bit)
    builder.cie(augmentation="", encoding=ABSPTR, version=version)
    builder.fde(CODE, 32, advance(1), def_cfa_offset(16)).fde(CODE + 32, 32)
    assert row_texts(builder.compile()) == [
        (0, START),
        (1, "sp+16 fp=same ra=cfa-8"),
        (32, START),
        (64, "none"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 2},
        {"version": 4, "address_size": 4},
        {"version": 4, "segment_size": 2},
        {"augmentation": "eh"},
        {"augmentation": "zRx"},
        {"augmentation": "z" + "R" * 20, "augmentation_data": bytes(20)},
        {"augmentation": "zR", "augmentation_data": b""},
    ],
)
def test_cies_that_cannot_be_used(fields: dict[str, object]) -> None:
    builder = SectionBuilder().cie(**fields).fde(CODE, 32)  # type: ignore[arg-type]
    with pytest.raises(UnwindError, match="no frame description in it can be used"):
        builder.compile()


@pytest.mark.parametrize(
    ("augmentation", "data"),
    [
        ("zPLR", bytes([PCREL | SDATA4, 1, 2, 3, 4, 0x1B, PCREL | SDATA4])),
        ("zPLR", bytes([0xFF, 0x1B, PCREL | SDATA4])),
        ("zRB", bytes([PCREL | SDATA4])),
        ("zRG", bytes([PCREL | SDATA4])),
        ("zR", bytes([PCREL | SDATA4, 1, 2, 3])),
    ],
)
def test_augmentations(augmentation: str, data: bytes) -> None:
    builder = SectionBuilder().cie(augmentation=augmentation, augmentation_data=data)
    assert row_texts(builder.fde(CODE, 32).compile()) == [(0, START), (32, "none")]


def test_aligned_personality_is_skipped_with_its_padding() -> None:
    data = bytes([ALIGNED]) + bytes(6) + bytes([0xAA] * 8) + bytes([PCREL | SDATA4])
    builder = SectionBuilder().cie(augmentation="zPR", augmentation_data=data)
    assert builder.data.index(bytes([0xAA] * 8)) % 8 == 0
    assert row_texts(builder.fde(CODE, 32).compile()) == [(0, START), (32, "none")]


def test_signal_frames() -> None:
    builder = SectionBuilder().cie(NOP, augmentation="zRS")
    builder.fde(
        CODE,
        9,
        def_cfa_expression(breg(RSP, 160), DEREF),
        expression(RBP, breg(RSP, 120)),
        expression(RSP, breg(RSP, 160)),
        expression(RIP, breg(RSP, 168)),
    )
    assert row_texts(builder.compile())[0] == (0, "*(sp+160)+0 fp=*sp+120 ra=*sp+168 signal")


def test_a_stack_pointer_in_a_register_is_the_cfa() -> None:
    """As in longjmp: what is saved at the CFA that is named instead cannot be said."""
    by_sp = register(RSP, R8) + register(RIP, RDX)
    rows = eh_frame(def_cfa(RDI, 0), offset(RBP, 2), by_sp, advance(9), same_value(RSP)).compile()
    assert row_texts(rows) == [
        (0, "r8+0 fp=? ra=r1"),
        (9, "r5+0 fp=cfa-16 ra=r1"),
        (100, "none"),
    ]
    in_register = eh_frame(def_cfa(RDI, 0), register(RBP, R9), by_sp).compile()
    assert row_texts(in_register)[0] == (0, "r8+0 fp=r9 ra=r1")
    on_the_stack = eh_frame(register(RSP, R8)).compile()
    assert row_texts(on_the_stack)[0] == (0, "? fp=? ra=?")


def test_rbx_is_followed_where_a_cfa_is_in_it() -> None:
    saved = (offset(RBX, 3), advance(4), offset(RBX, 300), advance(4), same_value(RBX), advance(4))
    both = (*saved, register(RBX, R10), advance(4), restore(RBX), advance(4))
    rows = eh_frame(*both, def_cfa_register(RBX)).compile()
    slots = [int(rows.dictionary[rule]["bx_slot"]) for rule in rows.rules]
    assert slots == [3, lib.BX_UNKNOWN, lib.BX_SAME, lib.BX_UNKNOWN, lib.BX_SAME, lib.BX_SAME, 0]
    assert row_texts(rows)[-2] == (20, "r3+8 fp=same ra=cfa-8")
    assert len(eh_frame(*both).compile().rules) == 2  # nobody needs it: one row, and the end


def test_restore_goes_back_to_the_cie() -> None:
    cie = SectionBuilder().cie(def_cfa(RSP, 8), offset(RIP, 1), offset(RBP, 3))
    builder = cie.fde(CODE, 32, undefined(RBP), advance(4), restore(RBP))
    assert row_texts(builder.compile()) == [
        (0, "sp+8 fp=? ra=cfa-8"),
        (4, "sp+8 fp=cfa-24 ra=cfa-8"),
        (32, "none"),
    ]


def test_restore_in_a_cie_unsaves() -> None:
    cie = SectionBuilder().cie(def_cfa(RSP, 8), offset(RIP, 1), offset(RBP, 2), restore(RBP))
    assert row_texts(cie.fde(CODE, 32).compile()) == [(0, START), (32, "none")]


def test_a_cie_that_says_nothing_leaves_an_unsupported_rule() -> None:
    rows = SectionBuilder().cie(NOP).fde(CODE, 32).compile()
    assert row_texts(rows)[0] == (0, "? fp=same ra=?")
    assert rows.counters.unsupported_rows == 1


def test_each_fde_has_its_own_cie() -> None:
    builder = SectionBuilder().cie().fde(CODE, 8)
    builder.cie(def_cfa(RBP, 16), offset(RIP, 1)).fde(CODE + 8, 8)
    assert [text.split()[0] for _, text in row_texts(builder.compile())] == [
        "sp+8",
        "fp+16",
        "none",
    ]


@pytest.mark.parametrize(
    "program",
    [
        b"\x3f",  # no such instruction
        b"\x0c\x07",  # def_cfa without offset
        b"\x04\x01\x02",  # half of an advance_loc4
        b"\x0e" + b"\x80" * 11 + b"\0",  # a number of more than 64 bits
        b"\x0f\x20\x77\x08",  # an expression longer than the program
        RESTORE_STATE,
        REMEMBER * 65,
    ],
)
def test_a_bad_program_is_unsupported_from_there_on(program: bytes) -> None:
    builder = (
        SectionBuilder().cie().fde(CODE, 32, advance(4), def_cfa_offset(16), advance(4), program)
    )
    rows = builder.fde(CODE + 32, 32).compile()
    assert row_texts(rows) == [
        (0, START),
        (4, "sp+16 fp=same ra=cfa-8"),
        (8, "? fp=? ra=?"),
        (32, START),
        (64, "none"),
    ]
    assert rows.counters.bad_fdes == 1


def test_states_nest() -> None:
    rows = eh_frame(REMEMBER * 64, def_cfa_offset(16), advance(8), RESTORE_STATE * 64).compile()
    assert row_texts(rows)[1] == (8, START)


def test_a_terminator_is_passed_over_unless_it_ends_the_section() -> None:
    builder = SectionBuilder().cie().fde(CODE, 8).terminator().cie().fde(CODE + 16, 8)
    assert len(row_texts(builder.compile())) == 4
    assert row_texts(builder.compile(ends_at_terminator=True)) == [(0, START), (8, "none")]


def test_an_entry_beyond_the_end_is_said() -> None:
    builder = SectionBuilder().cie().fde(CODE, 8).raw(b"\xff\0\0\0garbage")
    rows = builder.compile()
    assert row_texts(rows) == [(0, START), (8, "none")]
    assert rows.counters.is_truncated


def test_an_empty_section_has_no_rows() -> None:
    for data in (b"", bytes(4)):
        rows = compile_rows(FrameSection(data))
        assert len(rows.offsets) == 0 and rows.counters.fdes == 0


@pytest.mark.parametrize("data", [b"\x01", b"\x03\0\0\0abc", b"\x10\0\0\0" + b"\x77" * 16])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(BadFileError):
        compile_rows(FrameSection(data))


def test_a_full_dictionary_loses_rules_not_rows() -> None:
    count = lib.MAX_RULES + 100
    program = b"".join(def_cfa_offset(8 + number) + advance(1) for number in range(count))
    rows = eh_frame(program, length=count + 1).compile()
    assert len(rows.dictionary) == lib.MAX_RULES
    assert rows.counters.lost_rules == 102 == rows.counters.unsupported_rows + 101
    assert row_texts(rows)[100] == (100, "sp+108 fp=same ra=cfa-8")
    assert row_texts(rows)[-2][1] == "? fp=? ra=?"


def test_the_input_may_be_a_memoryview() -> None:
    data = bytearray(b"junk") + eh_frame().data
    view = memoryview(data)[4:]
    assert row_texts(compile_rows(FrameSection(view, ADDRESS)))[0] == (0, START)


def quarrelling_cies(fdes: int) -> FrameSection:
    """FDEs that each belong to another CIE than the one before, of 200 with long programs."""
    builder = SectionBuilder()
    places = []
    for _ in range(200):
        builder.cie(NOP * 500, def_cfa(RSP, 8), offset(RIP, 1))
        places.append(builder.cie_at)
    for number in range(fdes):
        builder.cie_at = places[number * 77 % 200]
        builder.fde(CODE + number * 16, 16)
    return builder.build()


def test_a_long_cie_program_is_run() -> None:
    rows = SectionBuilder().cie(NOP * 5000, def_cfa(RSP, 8), offset(RIP, 1)).fde(CODE, 8).compile()
    assert row_texts(rows) == [(0, START), (8, "none")]


def test_cies_are_run_again_only_so_often() -> None:
    rows = compile_rows(quarrelling_cies(20_000))
    assert row_texts(rows)[0] == (0, START)
    assert 10_000 < rows.counters.bad_fdes < 20_000
    assert rows.offsets[-1] == (20_000 - rows.counters.bad_fdes) * 16


def seconds(section: FrameSection) -> float:
    start = time.thread_time()  # of the CPU: it does not matter how busy the machine is
    compile_rows(section)
    return time.thread_time() - start


def test_time_is_linear_in_the_size() -> None:
    small, large = quarrelling_cies(5_000), quarrelling_cies(50_000)
    fastest = [min(seconds(section) for _ in range(3)) for section in (small, large)]
    assert fastest[1] < 30 * fastest[0]
