"""Rows from the table by which Go's runtime unwinds: pclntab.h for Python."""

from __future__ import annotations

import numpy as np

from ebprof._native import ffi, lib
from ebprof.elf import ElfImage
from ebprof.golang import GO_1_18, GO_1_20, GoTable, fields_at
from ebprof.unwind.compile import RowBuffers, UnwindRows

_ROWS_PER_BYTE = 2
"""Tables are shared by functions; real ones have 0.2 rows a byte."""


# Of Go 1.18 and later; of the table, and of a function in it (struct _func in Go's runtime2.go).
_COUNT_AT, _FUNCTIONS_AT, _HEADER_SIZE = 8, 64, 72
_DELTAS_AT = 16
_WORD = 4


def go_rows(image: ElfImage, table: GoTable) -> UnwindRows | None:
    """Rows of Go's functions; None where the table is of another version or cannot be used."""
    rows = compile_table(table.data, table.text)
    return rows if rows and _is_code(image, rows) else None


def foreign_functions(table: GoTable) -> list[int]:
    """Where functions begin that the table has and says nothing more of: those in C that Go's own
    linker put into the program. Empty where the table is of another version, or cannot be used.
    """
    data = table.data
    if table.magic not in (GO_1_18, GO_1_20) or not table.text or len(data) < _HEADER_SIZE:
        return []
    count, at = (int.from_bytes(data[n : n + 8], "little") for n in (_COUNT_AT, _FUNCTIONS_AT))
    if at + 2 * _WORD * count > len(data):
        return []
    pairs = np.frombuffer(data, "<u4", 2 * count, at).astype(np.int64).reshape(-1, 2)
    places = at + pairs[:, 1] + _DELTAS_AT
    is_inside = places + _WORD <= len(data)
    starts = pairs[is_inside, 0]
    return [
        table.text + start for start in starts[fields_at(data, places[is_inside]) == 0].tolist()
    ]


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
