"""All rows of an object, whatever they come from."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError
from ebprof.golang import find_go_table
from ebprof.unwind.code import with_code_rows
from ebprof.unwind.compile import FrameSection, UnwindRows, compile_rows
from ebprof.unwind.merge import merge
from ebprof.unwind.pclntab import go_rows


@dataclass(frozen=True, slots=True, eq=False)
class ObjectRows:
    """rows: None when there are none; bytes_read: of code or of Go's table, besides the section."""

    rows: UnwindRows | None
    bytes_read: int


def object_rows(image: ElfImage, section: FrameSection | None) -> ObjectRows:
    """Rows from an object's unwind information and, where it has none, from its code or Go's table.

    section: `frame_section(image)`. Raises UnwindError when it cannot be used.
    """
    rows = None if section is None else compile_rows(section)
    with suppress(BadFileError):  # of what only these need
        table = find_go_table(image)
        if table is None:
            return ObjectRows(*with_code_rows(image, rows))
        go = go_rows(image, table)
        return ObjectRows(merge(rows, go) if go else rows, len(table.data))
    return ObjectRows(rows, 0)
