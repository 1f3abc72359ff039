"""`.eh_frame` -> unwind rows -> segments of a table: eh_frame.h and table.h for Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebprof._native import ffi, lib
from ebprof.abi import UNWIND_RULE, dtype_of
from ebprof.elf import ElfImage, Section
from ebprof.errors import BadFileError
from ebprof.golang import is_go

TABLE_SEGMENT = dtype_of("struct table_segment")

MAX_ROWS = lib.MAX_SHARDS * lib.SHARD_WORDS // 4
"""Rows of one object: a quarter of all that tables can take."""

_REASONS = {
    lib.EH_SECTION_TOO_LARGE: "it is 4 GiB or larger",
    lib.EH_TOO_MANY_ROWS: f"it has more than {MAX_ROWS} rows",
    lib.EH_NO_USABLE_FDE: "no frame description in it can be used",
}


class UnwindError(BadFileError):
    """Unwind information that cannot be compiled; harms its own object only."""


@dataclass(frozen=True, slots=True)
class FrameSection:
    """Contents of `.eh_frame` or `.debug_frame` and what its pointers are relative to.

    Addresses are the object's own (p_vaddr). address: of data[0]. text_address, data_address:
    bases of DW_EH_PE_textrel and datarel (the GOT). Descriptions of code that is not within
    [code_start, code_limit) are left out. ends_at_terminator: the data's size is a guess, an
    entry of length zero ends it.
    """

    data: bytes | memoryview
    address: int = 0
    text_address: int = 0
    data_address: int = 0
    code_start: int = 0
    code_limit: int = 2**64 - 1
    is_debug_frame: bool = False
    ends_at_terminator: bool = False


@dataclass(frozen=True, slots=True)
class FrameCounters:
    """What became of the frame descriptions (FDEs); eh_frame.h says more about each."""

    fdes: int
    empty_fdes: int
    outside_fdes: int
    shadowed_fdes: int
    cut_fdes: int
    bad_fdes: int
    unsupported_rows: int
    lost_rules: int
    is_truncated: bool


@dataclass(frozen=True, slots=True, eq=False)
class UnwindRows:
    """Rows by address: rules[i] holds from base + offsets[i] until the next row.

    offsets: uint32[n], bytes from base, ascending. rules: uint16[n], indexes into dictionary;
    0: no row; the last row is 0. dictionary: UNWIND_RULE[m].
    """

    base: int
    offsets: NDArray[np.uint32]
    rules: NDArray[np.uint16]
    dictionary: NDArray[Any]
    counters: FrameCounters


def frame_sections(image: ElfImage) -> tuple[FrameSection, ...]:
    """The unwind information of an object: `.eh_frame`, and `.debug_frame` for what is not in it.

    Go's `.debug_frame` is not used: it does not say where frame pointers are saved, nor that
    some functions change stacks, and goes wrong there. A section that cannot be read is left out
    where there is another. Raises BadFileError when none can be, or the object is of another
    architecture.

    That of a separate debug file is `debug_frame`.
    """
    if not image.is_64 or image.machine != lib.EH_MACHINE:
        raise UnwindError(f"object of another architecture (ELF machine {image.machine})")
    if not any(segment.executable for segment in image.segments):
        return ()
    found = [_or_error(read, image) for read in (_eh_frame, _debug_frame)]
    sections = tuple(one for one in found if isinstance(one, FrameSection))
    failures = [one for one in found if isinstance(one, BadFileError)]
    if failures and not sections:
        raise failures[0]
    return sections


def _or_error(
    read: Callable[[ElfImage], FrameSection | None], image: ElfImage
) -> FrameSection | BadFileError | None:
    try:
        return read(image)
    except BadFileError as error:
        return error


def debug_frame(image: ElfImage, debug: ElfImage) -> FrameSection | None:
    """The `.debug_frame` of an object that its debug file has; None when there is none.

    Raises BadFileError when it cannot be read.
    """
    section = None if is_go(image) else _section(debug, ".debug_frame")
    if section is None or debug.machine != image.machine:
        return None
    return replace(_read_section(image, section, debug), is_debug_frame=True)


def _eh_frame(image: ElfImage) -> FrameSection | None:
    section = image.eh_frame_section()
    if section is None:
        return None
    is_guess = _section(image, ".eh_frame") is None
    return replace(_read_section(image, section), ends_at_terminator=is_guess)


def _debug_frame(image: ElfImage) -> FrameSection | None:
    return debug_frame(image, image)


def _read_section(image: ElfImage, section: Section, debug: ElfImage | None = None) -> FrameSection:
    code = [segment for segment in image.segments if segment.executable]
    return FrameSection(
        data=(debug or image).contents(section),
        address=section.address,
        text_address=_address(image, ".text"),
        data_address=_address(image, ".got.plt") or _address(image, ".got"),
        code_start=min(segment.address for segment in code),
        code_limit=max(segment.address + segment.memory_size for segment in code),
    )


def compile_rows(section: FrameSection) -> UnwindRows:
    """Compile a section; raises UnwindError with the reason. No rows is not an error."""
    data = ffi.from_buffer("uint8_t[]", section.data)
    scratch_size = lib.eh_frame_scratch_size(len(data))
    try:
        rows = RowBuffers(lib.eh_frame_row_bound(len(data)))
        scratch = np.empty(scratch_size, np.uint8)
    except MemoryError:
        raise UnwindError(f"no memory for unwind information of {len(data)} bytes") from None
    error = lib.eh_frame_compile(
        _eh_section(section, data), _pointer("uint8_t[]", scratch), scratch_size, rows.target
    )
    if error:
        raise UnwindError(f"cannot use its unwind information: {_REASONS[error]}")
    return rows.result()


def plan(rows: UnwindRows) -> NDArray[Any]:
    """How the rows split into segments: TABLE_SEGMENT[n], by base; see table.h."""
    most = len(rows.offsets)
    segments = np.zeros(min(most, lib.MAX_SHARDS), TABLE_SEGMENT)
    count = ffi.new("uint32_t *")
    error = lib.table_plan(
        _pointer("uint32_t[]", rows.offsets),
        _pointer("uint16_t[]", rows.rules),
        most,
        len(segments),
        _pointer("struct table_segment[]", segments),
        count,
    )
    if error:
        raise UnwindError(f"its unwind table needs more than {len(segments)} segments")
    return segments[: count[0]]


def pack(
    rows: UnwindRows, segment: Any, ids: NDArray[np.uint16], words: NDArray[np.uint32]
) -> None:
    """Write a segment of `plan(rows)` to words: uint32[segment["words"]], contiguous.

    ids: uint16[len(rows.dictionary)], the rule id to write for each rule of the dictionary.
    """
    if len(ids) < len(rows.dictionary) or len(words) != segment["words"]:
        raise ValueError(f"{len(ids)} ids, {len(words)} words")
    lib.table_pack(
        _pointer("struct table_segment[]", segment.reshape(1)),
        _pointer("uint32_t[]", rows.offsets),
        _pointer("uint16_t[]", rows.rules),
        _pointer("uint16_t[]", ids),
        _pointer("uint32_t[]", words, writable=True),
    )


class RowBuffers:
    """What C writes rows to: virtual memory for the worst case, touched as far as used.

    capacity: rows; target: `struct unwind_rows *`.
    """

    def __init__(self, capacity: int) -> None:
        capacity = min(capacity, MAX_ROWS)
        self.offsets = np.empty(capacity, np.uint32)
        self.rules = np.empty(capacity, np.uint16)
        self.dictionary = np.empty(lib.MAX_RULES, UNWIND_RULE)
        self.target = ffi.new("struct unwind_rows *")
        self.target.offsets = _pointer("uint32_t[]", self.offsets)
        self.target.rules = _pointer("uint16_t[]", self.rules)
        self.target.row_capacity = capacity
        self.target.dictionary = _pointer("struct unwind_rule[]", self.dictionary)
        self.target.dictionary_capacity = len(self.dictionary)

    def result(self) -> UnwindRows:
        """Copies of what was used."""
        target = self.target
        return UnwindRows(
            base=target.base,
            offsets=self.offsets[: target.row_count].copy(),
            rules=self.rules[: target.row_count].copy(),
            dictionary=self.dictionary[: target.dictionary_count].copy(),
            counters=FrameCounters(
                fdes=target.fdes,
                empty_fdes=target.empty_fdes,
                outside_fdes=target.outside_fdes,
                shadowed_fdes=target.shadowed_fdes,
                cut_fdes=target.cut_fdes,
                bad_fdes=target.bad_fdes,
                unsupported_rows=target.unsupported_rows,
                lost_rules=target.lost_rules,
                is_truncated=bool(target.is_truncated),
            ),
        )


def _eh_section(section: FrameSection, data: Any) -> Any:
    return ffi.new(
        "struct eh_section *",
        {
            "data": data,
            "size": len(data),
            "address": section.address,
            "text_address": section.text_address,
            "data_address": section.data_address,
            "code_start": section.code_start,
            "code_limit": section.code_limit,
            "is_debug_frame": section.is_debug_frame,
            "ends_at_terminator": section.ends_at_terminator,
        },
    )


def _pointer(ctype: str, array: NDArray[Any], *, writable: bool = False) -> Any:
    return ffi.from_buffer(ctype, array, require_writable=writable)


def _address(image: ElfImage, name: str) -> int:
    section = _section(image, name)
    return 0 if section is None else section.address


def _section(image: ElfImage, name: str) -> Section | None:
    try:
        return image.section(name)
    except BadFileError:  # the program headers, which are what the kernel loads by, may do
        return None
