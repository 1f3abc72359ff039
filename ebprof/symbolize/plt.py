"""Names for the linker's stubs (x86-64 psABI 5.2): `write@plt`."""

from __future__ import annotations

import struct
from functools import cached_property

import numpy as np

from ebprof.elf import EM_X86_64, ElfImage, Section
from ebprof.errors import BadFileError
from ebprof.symbolize.source import Call
from ebprof.symbolize.strings import string_at

_SECTIONS = (".plt", ".plt.sec", ".plt.got")
_STUB = 16
_MAX_STUBS = 1 << 18
"""Of one object: Chromium has some 2,000."""
_MAX_TABLE = 64 << 20
_ENDBR64 = b"\xf3\x0f\x1e\xfa"
_JUMP = b"\xff\x25"  # jmp *distance(%rip)
_JUMP_SIZE = 6
_RELOCATION = np.dtype([("offset", "<u8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])
_SYMBOL_SIZE = 24


class StubTable:
    """The PLT stubs of an object: each jumps through a GOT entry that a relocation names.

    image: read when the first stub is asked for, and not after.
    """

    def __init__(self, image: ElfImage) -> None:
        self.image = image

    def find(self, address: int) -> tuple[Call, ...]:
        """The function that the stub at an address jumps to, as `name@plt`."""
        for section in self._sections:
            if section.address <= address < section.address + section.size:
                stub = address - (address - section.address) % _STUB
                name = self._names.get(stub, "")
                return (Call(f"{name}@plt"),) if name else ()
        return ()

    @cached_property
    def _sections(self) -> tuple[Section, ...]:
        if self.image.machine != EM_X86_64:
            return ()
        found = (_section_or_none(self.image, name) for name in _SECTIONS)
        return tuple(section for section in found if section is not None)

    @cached_property
    def _names(self) -> dict[int, str]:
        """Names by address of the stub: all at once, as the tables they come from are large."""
        symbols, strings = self._contents(".dynsym"), self._contents(".dynstr")
        symbol_of_entry = self._symbol_of_entry()
        found: dict[int, str] = {}
        for section in self._sections:
            code = self._contents(section.name)
            for place in range(0, min(len(code), _MAX_STUBS * _STUB), _STUB):
                stub = section.address + place
                entry = _got_entry(code[place : place + _STUB], stub)
                number = 0 if entry is None else symbol_of_entry.get(entry, 0)
                if number:
                    found[stub] = _name(symbols, strings, number)
        return found

    def _symbol_of_entry(self) -> dict[int, int]:
        """Number of the dynamic symbol by address of its GOT entry."""
        found: dict[int, int] = {}
        for name in (".rela.dyn", ".rela.plt"):
            data = self._contents(name)
            rows = np.frombuffer(data, _RELOCATION, len(data) // _RELOCATION.itemsize)
            rows = rows[rows["symbol"] != 0][:_MAX_STUBS]
            found.update(zip(rows["offset"].tolist(), rows["symbol"].tolist(), strict=True))
        return found

    def _contents(self, name: str) -> bytes:
        try:
            return self.image.section_data(name, _MAX_TABLE) or b""
        except BadFileError:
            return b""


def _name(symbols: bytes, strings: bytes, number: int) -> str:
    place = number * _SYMBOL_SIZE
    if place + _SYMBOL_SIZE > len(symbols):
        return ""
    (offset,) = struct.unpack_from("<I", symbols, place)
    return string_at(strings, offset)


def _section_or_none(image: ElfImage, name: str) -> Section | None:
    try:
        return image.section(name)
    except BadFileError:
        return None


def _got_entry(stub: bytes, address: int) -> int | None:
    """Where the stub's indirect jump reads its target; older stubs have a `bnd` prefix."""
    start = len(_ENDBR64) if stub.startswith(_ENDBR64) else 0
    start += stub[start : start + 1] == b"\xf2"
    if stub[start : start + 2] != _JUMP or len(stub) < start + _JUMP_SIZE:
        return None
    (distance,) = struct.unpack_from("<i", stub, start + 2)
    return address + start + _JUMP_SIZE + int(distance)
