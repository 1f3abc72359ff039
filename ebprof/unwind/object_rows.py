"""All rows of an object, whatever they come from."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError
from ebprof.golang import find_go_table
from ebprof.unwind.code import with_code_rows
from ebprof.unwind.compile import FrameSection, UnwindError, UnwindRows, compile_rows
from ebprof.unwind.merge import fill, merge
from ebprof.unwind.pclntab import foreign_functions, go_rows


@dataclass(frozen=True, slots=True, eq=False)
class ObjectRows:
    """rows: None when there are none.

    bytes_read: of code, of Go's table and in search of it, besides sections.
    """

    rows: UnwindRows | None
    bytes_read: int


def object_rows(image: ElfImage, sections: Iterable[FrameSection]) -> ObjectRows:
    """Rows from an object's unwind information and, where it has none, from its code or Go's table.

    sections: `frame_sections(image)`. Raises UnwindError when none of them can be used.
    """
    rows = _told_rows(sections)
    searched: list[int] = []
    with suppress(BadFileError):  # of what only these need
        functions: list[int] = []
        table = find_go_table(image, searched.append)
        if table is not None:
            searched.append(len(table.data))
            functions = foreign_functions(table)
            go = go_rows(image, table)
            rows = merge(rows, go) if go else rows
        rows, followed = with_code_rows(image, rows, functions)
        searched.append(followed)
    return ObjectRows(rows, sum(searched))


def _told_rows(sections: Iterable[FrameSection]) -> UnwindRows | None:
    """Rows of all sections: what one does not cover is for the next."""
    rows, failures = None, []
    for compiled in map(_compiled, sections):
        if isinstance(compiled, UnwindError):
            failures.append(compiled)
        else:
            rows = fill(rows, compiled)
    if failures and rows is None:
        raise failures[0]
    return rows


def _compiled(section: FrameSection) -> UnwindRows | UnwindError:
    try:
        return compile_rows(section)
    except UnwindError as error:
        return error
