"""Rows from the table by which Go's runtime unwinds: pclntab.h for Python."""

from __future__ import annotations

import numpy as np

from ebprof._native import ffi, lib
from ebprof.elf import ElfImage
from ebprof.golang import GoTable
from ebprof.unwind.compile import RowBuffers, UnwindRows

_ROWS_PER_BYTE = 2
"""Tables are shared by functions; real ones have 0.2 rows a byte."""


def go_rows(image: ElfImage, table: GoTable) -> UnwindRows | None:
    """Rows of Go's functions; None where the table is of another version or cannot be used."""
    rows = compile_table(table.data, table.text)
    return rows if rows and _is_code(image, rows) else None


def compile_table(data: bytes, text_address: int) -> UnwindRows | None:
    """Rows of a table; text_address: where functions begin; 0: as the table says."""
    rows = RowBuffers(_ROWS_PER_BYTE * len(data) + 1)
    scratch = np.empty(lib.pclntab_scratch_size(), np.uint8)
    source = ffi.from_buffer("uint8_t[]", data)
    table = ffi.new(
        "struct pclntab *", {"data": source, "size": len(data), "text_address": text_address}
    )
    buffer = ffi.from_buffer("uint8_t[]", scratch, require_writable=True)
    error = lib.pclntab_compile(table, buffer, rows.target)
    return None if error else rows.result()


def _is_code(image: ElfImage, rows: UnwindRows) -> bool:
    if not len(rows.offsets):
        return False
    segment = image.segment_of_address(rows.base)
    end = rows.base + int(rows.offsets[-1])
    return segment is not None and segment.executable and end <= segment.address + segment.file_size
