"""Rows for code without call frame information, from its instructions: code.h for Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.abi import dtype_of
from ebprof.elf import ElfImage, Section
from ebprof.errors import BadFileError
from ebprof.unwind.compile import RowBuffers, UnwindRows
from ebprof.unwind.merge import merge, uncovered

CODE_ENTRY = dtype_of("struct code_entry")

MAX_CODE: int = lib.MAX_CODE
"""Bytes of an object's code that are followed, all gaps together."""

_SYMBOL = np.dtype(
    [
        ("name", "<u4"),
        ("info", "u1"),
        ("other", "u1"),
        ("section", "<u2"),
        ("value", "<u8"),
        ("size", "<u8"),
    ]
)
_STT_FUNC = 2
_SYMBOLS_LIMIT = 16 << 20
_POINTERS_LIMIT = 1 << 20
_MAX_ENTRIES = 4096
_SHORTEST = 8
"""Bytes of a gap that is more than padding: `_fini` has nine."""

_WIDE = 64
"""Bytes of a gap that padding does not have."""
_MAX_SEARCHED = 8 << 20

_ALIGNMENT = 16
_LONGEST_CLONE = 32
_MAX_CLONES = 256
_SYSCALL = b"\x0f\x05"
_LOAD_NUMBER = 5
_CALLS_CLONE = [b"\xb8" + number.to_bytes(4, "little") + _SYSCALL for number in (56, 435)]
"""`mov NUMBER, %eax; syscall`, for clone and clone3."""
_FRAME_OF_CLONE = (lib.CFA_SP, 8, lib.RA_AT_CFA)


@dataclass(frozen=True, slots=True, eq=False)
class _Gaps:
    """Addresses [starts, ends) in segments with code, without rows: uint64[n] each, ascending."""

    starts: NDArray[np.uint64]
    ends: NDArray[np.uint64]

    def index(self, addresses: NDArray[np.uint64]) -> NDArray[np.intp]:
        """The gap that each address lies in, -1 for none."""
        index = np.searchsorted(self.starts, addresses, "right") - 1
        inside = (index >= 0) & (addresses < np.append(self.ends, np.uint64(0))[index])
        return np.where(inside, index, -1)


def with_code_rows(
    image: ElfImage, rows: UnwindRows | None, functions: Iterable[int] = ()
) -> tuple[UnwindRows | None, int]:
    """Rows of an object and, where they leave gaps, rows from the code there; and its bytes.

    Followed are the program's entry, .init and .fini, what .init_array and .fini_array point to,
    symbols, what is behind the system call of clone, what other code calls, and functions:
    addresses of more of them. Raises BadFileError when the file contradicts itself.
    """
    gaps = _gaps(image, rows)
    called, searched = _called(image, gaps)
    entries = _entries(image, gaps, _clones(image, rows, gaps), [*functions, *called])
    index = gaps.index(entries["address"])
    followed = 0
    found: UnwindRows | None = None
    for gap in sorted({*index.tolist()}):
        start, end = int(gaps.starts[gap]), int(gaps.ends[gap])
        if followed + end - start <= MAX_CODE:
            followed += end - start
            code = _read(image, start, end)
            found = merge(found, follow(code, start, entries[index == gap]))
    return (merge(rows, found) if found else rows), followed + searched


# ---- gaps ----------------------------------------------------------------------------------------


def _gaps(image: ElfImage, rows: UnwindRows | None) -> _Gaps:
    starts, ends = uncovered(rows)
    is_code = ends - starts >= _SHORTEST
    starts, ends = starts[is_code], ends[is_code]
    pieces = []
    for segment in image.segments:
        if segment.executable:
            limit = np.uint64(min(segment.address + segment.file_size, 2**64 - 1))
            first = np.maximum(starts, np.uint64(segment.address))
            last = np.minimum(ends, limit)
            pieces.append(np.stack([first, last])[:, first < last])
    found = np.concatenate([np.zeros((2, 0), np.uint64), *pieces], axis=1)
    found = found[:, np.argsort(found[0], kind="stable")]
    return _Gaps(found[0], found[1])


# ---- entries -------------------------------------------------------------------------------------


def _entries(image: ElfImage, gaps: _Gaps, clones: list[int], called: list[int]) -> NDArray[Any]:
    """CODE_ENTRY[n] of functions in gaps, each once, those that say most first."""
    outermost = [(image.entry, 0, lib.ENTRY_OUTERMOST)] if image.entry else []
    outermost += [(address, 0, lib.ENTRY_CLONE) for address in clones]
    sections = [(s.address, min(s.size, MAX_CODE), 0) for s in _sections(image, ".init", ".fini")]
    arrays = [(address, 0, 0) for address in _pointers(image)]
    known = np.array([*outermost, *sections, *arrays], CODE_ENTRY)
    others = np.array([(address, 0, 0) for address in called], CODE_ENTRY)
    entries = np.concatenate([known, symbols_of(image), others])
    inside = entries[gaps.index(entries["address"]) >= 0]
    ordered = inside[np.argsort(inside["address"], kind="stable")]
    is_first = np.append(True, ordered["address"][1:] != ordered["address"][:-1])
    found: NDArray[Any] = ordered[is_first[: len(ordered)]][:_MAX_ENTRIES]
    return found


def _called(image: ElfImage, gaps: _Gaps) -> tuple[list[int], int]:
    """What calls lead to in gaps with more than a function, and the bytes searched.

    Assembly in a stripped library has no symbols. Any bytes that look like a call count: that they
    happen to lead into a gap is as unlikely as gaps are small.
    """
    found: set[int] = set()
    searched = 0
    wide = _Gaps(*(edges[gaps.ends - gaps.starts >= _WIDE] for edges in (gaps.starts, gaps.ends)))
    for segment in image.segments if len(wide.starts) else ():
        if segment.executable and searched + segment.file_size <= _MAX_SEARCHED:
            searched += segment.file_size
            code = _read(image, segment.address, segment.address + segment.file_size)
            targets = _call_targets(np.frombuffer(code, np.uint8), segment.address)
            found.update(targets[wide.index(targets) >= 0][:_MAX_ENTRIES].tolist())
    return sorted(found), searched


def _call_targets(code: NDArray[np.uint8], address: int) -> NDArray[np.uint64]:
    """Where each E8, and the four bytes behind it, leads."""
    at = np.flatnonzero(code[:-4] == 0xE8)
    parts = np.stack([code[at + 1], code[at + 2], code[at + 3], code[at + 4]], axis=1)
    distances = parts.view("<i4").ravel().astype(np.int64)
    return (at + 5 + distances).astype(np.uint64) + np.uint64(address)


def _clones(image: ElfImage, rows: UnwindRows | None, gaps: _Gaps) -> list[int]:
    """Gaps that begin with the system call of clone: glibc ends what it says of its frame there.

    Unlike padding they do not end where a function may begin.
    """
    sizes = gaps.ends - gaps.starts
    is_candidate = (sizes <= _LONGEST_CLONE) & (gaps.ends % _ALIGNMENT != 0)
    candidates = gaps.starts[is_candidate][:_MAX_CLONES].tolist()
    return [start for start in candidates if _is_clone(image, rows, start)]


def _is_clone(image: ElfImage, rows: UnwindRows | None, start: int) -> bool:
    if rows is None or start <= rows.base:
        return False
    before = int(np.searchsorted(rows.offsets, start - rows.base)) - 1
    rule = rows.dictionary[rows.rules[before]]
    if (rule["cfa_kind"], rule["cfa_offset"], rule["ra_kind"]) != _FRAME_OF_CLONE:
        return False
    return _read(image, start - _LOAD_NUMBER, start + len(_SYSCALL)) in _CALLS_CLONE


def _sections(image: ElfImage, *names: str) -> list[Section]:
    found = [image.section(name) for name in names]
    return [section for section in found if section is not None]


def _pointers(image: ElfImage) -> list[int]:
    """What .init_array and .fini_array hold before relocation."""
    found: list[int] = []
    for section in _sections(image, ".init_array", ".fini_array"):
        data = image.contents(section, _POINTERS_LIMIT)[: section.size // 8 * 8]
        found += np.frombuffer(data, "<u8").tolist()
    return found


def symbols_of(image: ElfImage) -> NDArray[Any]:
    """CODE_ENTRY[n] of all functions; those that assembly defines may have no size."""
    section = image.section(".symtab") or image.section(".dynsym")
    if section is None or section.size > _SYMBOLS_LIMIT:
        return np.zeros(0, CODE_ENTRY)
    data = image.contents(section)
    symbols = np.frombuffer(data[: len(data) // _SYMBOL.itemsize * _SYMBOL.itemsize], _SYMBOL)
    symbols = symbols[symbols["info"] & 15 == _STT_FUNC]
    symbols = symbols[symbols["section"] != 0]
    entries = np.zeros(len(symbols), CODE_ENTRY)
    entries["address"] = symbols["value"]
    entries["size"] = np.minimum(symbols["size"], MAX_CODE)
    return entries


# ---- rows ----------------------------------------------------------------------------------------


def follow(code: bytes, address: int, entries: NDArray[Any]) -> UnwindRows:
    """Rows of a piece of code, at most MAX_CODE; entries: CODE_ENTRY[n], of functions in it."""
    room = np.zeros(len(entries) + _MAX_ENTRIES, CODE_ENTRY)
    room[: len(entries)] = entries
    rows = RowBuffers(2 * len(code))
    scratch = np.empty(lib.follow_code_scratch_size(len(code)), np.uint8)
    source = ffi.from_buffer("uint8_t[]", code)
    lib.follow_code(
        ffi.new("struct code_gap *", {"code": source, "address": address, "size": len(code)}),
        ffi.from_buffer("struct code_entry[]", room, require_writable=True),
        len(entries),
        len(room),
        ffi.from_buffer("uint8_t[]", scratch, require_writable=True),
        rows.target,
    )
    return rows.result()


def _read(image: ElfImage, start: int, end: int) -> bytes:
    segment = image.segment_of_address(start)
    if segment is None or end > segment.address + segment.file_size:
        raise BadFileError("corrupt ELF file: overlapping segments")
    offset = segment.offset + start - segment.address
    return image.contents(Section("", start, offset, end - start))
