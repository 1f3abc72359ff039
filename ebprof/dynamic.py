"""What the dynamic linker reads of an object (ELF gABI chapter 5), with or without section headers.

Addresses in it are the object's own (p_vaddr). Tools that make files small, or hard to read, take
section headers away; what PT_DYNAMIC leads to has to stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ebprof.elf import EM_X86_64, ElfImage
from ebprof.errors import BadFileError

_HASH, _STRTAB, _SYMTAB, _RELA, _RELASZ, _STRSZ, _GNU_HASH = 4, 5, 6, 7, 8, 10, 0x6FFFFEF5
_MAX_DYNAMIC = 64 << 10
_MAX_TABLE = 128 << 20
_MAX_BUCKETS = 1 << 24
_CHAIN_PIECE = 1 << 10
_MAX_CHAIN = 1 << 20
_R_X86_64_RELATIVE = 8
_RELOCATION = np.dtype([("offset", "<u8"), ("info", "<u8"), ("addend", "<u8")])
_WORD = 8

_Numbers = npt.NDArray[np.uint64]


class DynamicSection:
    """The entries of PT_DYNAMIC, none where there is no such segment.

    Whatever it leads to may be anywhere: methods raise BadFileError where the file has nothing.
    """

    def __init__(self, image: ElfImage) -> None:
        self._image = image

    def symbols(self) -> bytes:
        """The dynamic symbol table; empty when there is none."""
        start, size = self._entries.get(_SYMTAB, 0), 24 if self._image.is_64 else 16
        return self._bytes_at(start, self._symbol_count() * size) if start else b""

    def strings(self) -> bytes:
        """The strings that dynamic symbols name."""
        return self._bytes_at(self._entries.get(_STRTAB, 0), self._entries.get(_STRSZ, 0))

    def relative_relocations(self) -> Relocations:
        """What the dynamic linker writes to the object's pointers to itself."""
        start, size = self._entries.get(_RELA, 0), self._entries.get(_RELASZ, 0)
        if not start or self._image.machine != EM_X86_64 or not self._image.is_64:
            return Relocations.none()
        data = self._bytes_at(start, size)
        rows = np.frombuffer(data, _RELOCATION, len(data) // _RELOCATION.itemsize)
        rows = rows[rows["info"] == _R_X86_64_RELATIVE]
        rows = rows[np.argsort(rows["offset"], kind="stable")]
        return Relocations(rows["offset"].copy(), rows["addend"].copy())

    @cached_property
    def _entries(self) -> dict[int, int]:
        place = self._image.place_of("PT_DYNAMIC")
        if place is None:
            return {}
        data = self._bytes_at(place.address, min(place.size, _MAX_DYNAMIC))
        number = self._number_type()
        pairs = np.frombuffer(data, number, len(data) // (2 * number.itemsize) * 2).reshape(-1, 2)
        found: dict[int, int] = {}
        for tag, value in pairs.tolist():
            if tag == 0:
                break
            found.setdefault(tag, value)
        return found

    def _symbol_count(self) -> int:
        """By the hash table, which is the only one to say it."""
        if _HASH in self._entries:
            return int(self._words(self._entries[_HASH], 2)[1])
        if _GNU_HASH in self._entries:
            return self._count_by_gnu_hash(self._entries[_GNU_HASH])
        return 0

    def _count_by_gnu_hash(self, start: int) -> int:
        """What follows the chain that begins last, which its last symbol's lowest bit ends."""
        buckets, first, filter_words, _ = map(int, self._words(start, 4))
        if buckets > _MAX_BUCKETS or filter_words > _MAX_BUCKETS:
            raise BadFileError(f"corrupt ELF file: {buckets} hash buckets")
        place = start + 16 + filter_words * self._number_type().itemsize
        last = int(self._words(place, buckets).max(initial=0))
        if last < first:
            return first
        chain = place + 4 * (buckets + last - first)
        for piece in range(0, _MAX_CHAIN, _CHAIN_PIECE):
            words = self._words(chain + 4 * piece, self._words_until_end(chain + 4 * piece))
            ends = np.flatnonzero(words & 1)
            if len(ends):
                return last + piece + int(ends[0]) + 1
        raise BadFileError("corrupt ELF file: endless hash chain")

    def _words_until_end(self, address: int) -> int:
        """Words of a piece of a chain, fewer where a segment ends."""
        segment = self._image.segment_of_address(address)
        left = segment.address + segment.file_size - address if segment else 0
        return min(_CHAIN_PIECE, max(1, left // 4))

    def _words(self, address: int, count: int) -> npt.NDArray[np.uint32]:
        data = self._bytes_at(address, 4 * count)
        return np.frombuffer(data, f"{self._image.byte_order}u4").astype(np.uint32)

    def _number_type(self) -> np.dtype[np.unsignedinteger[npt.NBitBase]]:
        return np.dtype(f"{self._image.byte_order}u{8 if self._image.is_64 else 4}")

    def _bytes_at(self, address: int, size: int) -> bytes:
        if size > _MAX_TABLE:
            raise BadFileError(f"dynamic table of {size} bytes is too large")
        return self._image.bytes_at(address, size)


@dataclass(frozen=True, slots=True, eq=False)
class Relocations:
    """Values of pointers, with the object loaded at 0. offsets, values: uint64[n], by offset."""

    offsets: _Numbers
    values: _Numbers

    @classmethod
    def none(cls) -> Relocations:
        """Those of an object that has none."""
        return cls(np.empty(0, np.uint64), np.empty(0, np.uint64))

    def apply(self, address: int, data: bytes) -> bytes:
        """Contents of an address as they are once the object is loaded."""
        first, last = self.offsets.searchsorted(
            np.array([address, max(address, address + len(data) - _WORD + 1)], np.uint64)
        )
        if first == last:
            return data
        loaded = np.frombuffer(data, np.uint8).copy()
        places = (self.offsets[first:last] - np.uint64(address)).astype(np.intp)
        loaded[places[:, None] + np.arange(_WORD)] = (
            self.values[first:last].astype("<u8").view(np.uint8).reshape(-1, _WORD)
        )
        return loaded.tobytes()

    def pointers_to(self, address: int) -> list[int]:
        """Where pointers to an address are."""
        found: list[int] = self.offsets[self.values == np.uint64(address)].tolist()
        return found
