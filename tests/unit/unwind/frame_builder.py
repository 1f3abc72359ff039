"""Writes `.eh_frame` and `.debug_frame` sections byte by byte, and rows as short text."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ebprof._native import lib
from ebprof.unwind.compile import FrameSection, UnwindRows, compile_rows

RDX, RBX, RDI, RBP, RSP, R8, R9, R10, RIP = 1, 3, 5, 6, 7, 8, 9, 10, 16
ABSPTR, ULEB128, UDATA2, UDATA4, UDATA8 = 0, 1, 2, 3, 4
SLEB128, SDATA2, SDATA4, SDATA8 = 9, 0xA, 0xB, 0xC
PCREL, TEXTREL, DATAREL, FUNCREL, ALIGNED, INDIRECT = 0x10, 0x20, 0x30, 0x40, 0x50, 0x80

ADDRESS, TEXT, DATA = 0x400000, 0x100000, 0x200000
CODE = 0x10000
"""Where the section, the bases of its pointers, and the code of the tests lie."""

DEREF, CONST1U, CONST1S, CONST2U, CONST2S = b"\x06", b"\x08", b"\x09", b"\x0a", b"\x0b"
CONST4U, CONST4S, CONSTU, CONSTS = b"\x0c", b"\x0d", b"\x10", b"\x11"
AND, MINUS, PLUS, SHL, GE = b"\x1a", b"\x1c", b"\x22", b"\x24", b"\x2a"


def uleb(value: int) -> bytes:
    """Unsigned LEB128 (DWARF 5, 7.6)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def sleb(value: int) -> bytes:
    """Signed LEB128."""
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value & 0x7F])


def advance(delta: int) -> bytes:
    """DW_CFA_advance_loc in its shortest form."""
    if delta < 64:
        return bytes([0x40 | delta])
    if delta < 256:
        return bytes([0x02, delta])
    return b"\x04" + struct.pack("<I", delta)


def def_cfa(reg: int, offset: int) -> bytes:
    """DW_CFA_def_cfa."""
    return b"\x0c" + uleb(reg) + uleb(offset)


def def_cfa_register(reg: int) -> bytes:
    """DW_CFA_def_cfa_register."""
    return b"\x0d" + uleb(reg)


def def_cfa_offset(offset: int) -> bytes:
    """DW_CFA_def_cfa_offset."""
    return b"\x0e" + uleb(offset)


def def_cfa_expression(*operations: bytes) -> bytes:
    """DW_CFA_def_cfa_expression."""
    return b"\x0f" + _block(operations)


def offset(reg: int, factored: int) -> bytes:
    """DW_CFA_offset; the data alignment factor is -8."""
    return bytes([0x80 | reg]) + uleb(factored)


def restore(reg: int) -> bytes:
    """DW_CFA_restore."""
    return bytes([0xC0 | reg])


def undefined(reg: int) -> bytes:
    """DW_CFA_undefined."""
    return b"\x07" + uleb(reg)


def same_value(reg: int) -> bytes:
    """DW_CFA_same_value."""
    return b"\x08" + uleb(reg)


def register(reg: int, source: int) -> bytes:
    """DW_CFA_register."""
    return b"\x09" + uleb(reg) + uleb(source)


def expression(reg: int, *operations: bytes) -> bytes:
    """DW_CFA_expression."""
    return b"\x10" + uleb(reg) + _block(operations)


def val_expression(reg: int, *operations: bytes) -> bytes:
    """DW_CFA_val_expression."""
    return b"\x16" + uleb(reg) + _block(operations)


REMEMBER, RESTORE_STATE, NOP = b"\x0a", b"\x0b", b"\x00"


def breg(reg: int, displacement: int) -> bytes:
    """DW_OP_breg0 and following."""
    return bytes([0x70 + reg]) + sleb(displacement)


def lit(value: int) -> bytes:
    """DW_OP_lit0 and following."""
    return bytes([0x30 + value])


def plus_uconst(value: int) -> bytes:
    """DW_OP_plus_uconst."""
    return b"\x23" + uleb(value)


def _block(operations: tuple[bytes, ...]) -> bytes:
    body = b"".join(operations)
    return uleb(len(body)) + body


@dataclass
class SectionBuilder:
    """Appends entries; an FDE belongs to the last CIE."""

    is_debug_frame: bool = False
    is_64_bit: bool = False
    data: bytearray = field(default_factory=bytearray)
    encoding: int = PCREL | SDATA4
    cie_at: int = 0
    has_augmentation_data: bool = True

    def cie(
        self,
        *program: bytes,
        augmentation: str = "zR",
        augmentation_data: bytes | None = None,
        encoding: int = PCREL | SDATA4,
        version: int = 1,
        code_alignment: int = 1,
        data_alignment: int = -8,
        ra: int = RIP,
        address_size: int = 8,
        segment_size: int = 0,
    ) -> SectionBuilder:
        """A CIE; unless given, its program is the x86-64 one (CFA rsp+8, RA at CFA-8)."""
        self.cie_at, self.encoding = len(self.data), encoding
        self.has_augmentation_data = augmentation.startswith("z")
        body = bytes([version]) + augmentation.encode() + b"\0"
        if version == 4:
            body += bytes([address_size, segment_size])
        body += uleb(code_alignment) + sleb(data_alignment)
        body += bytes([ra]) if version == 1 else uleb(ra)
        if self.has_augmentation_data:
            data = bytes([encoding]) if augmentation_data is None else augmentation_data
            body += uleb(len(data)) + data
        body += b"".join(program or (def_cfa(RSP, 8), offset(RIP, 1)))
        return self.entry(self.cie_id(), body)

    def fde(self, start: int, length: int, *program: bytes) -> SectionBuilder:
        """An FDE of [start, start + length)."""
        place = len(self.data) + (12 if self.is_64_bit else 4)
        place += 8 if self.is_debug_frame and self.is_64_bit else 4
        body = self.address(start, place) + self.number(length)
        if self.has_augmentation_data:
            body += uleb(0)
        id_at = len(self.data) + (12 if self.is_64_bit else 4)
        pointer = self.cie_at if self.is_debug_frame else id_at - self.cie_at
        return self.entry(pointer, body + b"".join(program))

    def raw(self, data: bytes) -> SectionBuilder:
        """Any bytes."""
        self.data += data
        return self

    def terminator(self) -> SectionBuilder:
        """An entry of length zero."""
        return self.raw(bytes(4))

    def build(self, **fields: Any) -> FrameSection:
        """The section, at ADDRESS; `fields` are FrameSection's own."""
        values: dict[str, Any] = {
            "address": ADDRESS,
            "text_address": TEXT,
            "data_address": DATA,
            "is_debug_frame": self.is_debug_frame,
        }
        return FrameSection(bytes(self.data), **(values | fields))

    def compile(self, **fields: Any) -> UnwindRows:
        """Compile what was built."""
        return compile_rows(self.build(**fields))

    def entry(self, pointer: int, body: bytes) -> SectionBuilder:
        """An entry with any CIE pointer."""
        wide = self.is_debug_frame and self.is_64_bit
        body = pointer.to_bytes(8 if wide else 4, "little") + body
        length = struct.pack("<IQ" if self.is_64_bit else "<I", *self.length(len(body)))
        return self.raw(length + body)

    def length(self, size: int) -> tuple[int, ...]:
        """The initial length field's numbers."""
        return (0xFFFFFFFF, size) if self.is_64_bit else (size,)

    def cie_id(self) -> int:
        """What stands for a CIE pointer in a CIE."""
        if not self.is_debug_frame:
            return 0
        return 2**64 - 1 if self.is_64_bit else 2**32 - 1

    def address(self, value: int, place: int) -> bytes:
        """An address encoded as the CIE says, for a field at `place` in the section."""
        base = {PCREL: ADDRESS + place, TEXTREL: TEXT, DATAREL: DATA}
        return self.number(value - base.get(self.encoding & 0x70, 0))

    def number(self, value: int) -> bytes:
        """A number in the format of the CIE's encoding."""
        kind = self.encoding & 0xF
        if kind == ULEB128:
            return uleb(value)
        if kind == SLEB128:
            return sleb(value)
        size: int = {UDATA2: 2, SDATA2: 2, UDATA4: 4, SDATA4: 4}.get(kind, 8)
        return (value % (1 << 8 * size)).to_bytes(size, "little")


def eh_frame(*program: bytes, length: int = 100) -> SectionBuilder:
    """A section with one FDE of [CODE, CODE + length)."""
    return SectionBuilder().cie().fde(CODE, length, *program)


def rule_at(rows: UnwindRows, address: int) -> Any:
    """The rule in force at an address that is not before the first row."""
    index = int(np.searchsorted(rows.offsets, address - rows.base, "right")) - 1
    return rows.dictionary[rows.rules[index]]


def rule_text(rule: Any) -> str:
    """A rule as `sp+8 fp=cfa-16 ra=cfa-8`; `none` for no row."""
    if rule["cfa_kind"] == lib.CFA_NONE:
        return "none"
    parts = [_cfa_text(rule), f"fp={_fp_text(rule)}", f"ra={_ra_text(rule)}"]
    return " ".join(parts + ["signal"] * int(rule["is_signal"]))


def row_texts(rows: UnwindRows) -> list[tuple[int, str]]:
    """All rows as (address from CODE, text)."""
    texts = [rule_text(rule) for rule in rows.dictionary]
    pairs = zip(rows.offsets.tolist(), rows.rules.tolist(), strict=True)
    return [(rows.base + at - CODE, texts[rule]) for at, rule in pairs]


def _cfa_text(rule: Any) -> str:
    at, addend = f"{rule['cfa_offset']:+d}", f"{rule['cfa_addend']:+d}"
    return {
        lib.CFA_UNSUPPORTED: "?",
        lib.CFA_SP: f"sp{at}",
        lib.CFA_FP: f"fp{at}",
        lib.CFA_REGISTER: f"r{rule['cfa_register']}{at}",
        lib.CFA_PLT: f"plt{at}@{rule['cfa_addend']}",
        lib.CFA_DEREF_SP: f"*(sp{at}){addend}",
        lib.CFA_DEREF_FP: f"*(fp{at}){addend}",
    }[int(rule["cfa_kind"])]


def _fp_text(rule: Any) -> str:
    at = f"{rule['fp_offset']:+d}"
    return {
        lib.FP_SAME: "same",
        lib.FP_AT_CFA: f"cfa{at}",
        lib.FP_AT_SP: f"*sp{at}",
        lib.FP_AT_FP: f"*fp{at}",
        lib.FP_REGISTER: f"r{rule['fp_offset']}",
        lib.FP_UNKNOWN: "?",
    }[int(rule["fp_kind"])]


def _ra_text(rule: Any) -> str:
    at = f"{rule['ra_offset']:+d}"
    return {
        lib.RA_AT_CFA: f"cfa{at}",
        lib.RA_UNDEFINED: "end",
        lib.RA_AT_SP: f"*sp{at}",
        lib.RA_REGISTER: f"r{rule['ra_offset']}",
        lib.RA_BY_CODE: f"code{at}",
        lib.RA_AFTER_CLONE: f"code{at} or end",
        lib.RA_UNSUPPORTED: "?",
    }[int(rule["ra_kind"])]
