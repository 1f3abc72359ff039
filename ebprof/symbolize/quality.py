"""How much an object file says about its functions."""

from __future__ import annotations

from enum import IntEnum

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError

_DWARF = (".debug_info", ".zdebug_info")
_GO = (".gopclntab", ".data.rel.ro.gopclntab")
_TABLES = (".symtab", *_GO)
_DYNAMIC = (".gnu_debugdata", ".dynsym")
_CONTENTS = {
    "DWARF": _DWARF,
    "symtab": (".symtab",),
    "pclntab": _GO,
    "MiniDebugInfo": (".gnu_debugdata",),
    "dynsym": (".dynsym",),
}


class Quality(IntEnum):
    """Of the best symbols in a file, in order. DYNAMIC: what `strip` leaves, MiniDebugInfo as well.
    TABLE: a symbol table, or Go's.
    """

    NONE = 1
    DYNAMIC = 2
    TABLE = 3
    DWARF = 4


def quality_of(image: ElfImage) -> Quality:
    """By the sections that an object has."""
    for quality, names in (
        (Quality.DWARF, _DWARF),
        (Quality.TABLE, _TABLES),
        (Quality.DYNAMIC, _DYNAMIC),
    ):
        if any(_has(image, name) for name in names):
            return quality
    return Quality.DYNAMIC if image.place_of("PT_DYNAMIC") else Quality.NONE


def contents_of(image: ElfImage) -> tuple[str, ...]:
    """What symbols an object has, the best first, as people call them."""
    return tuple(
        text for text, names in _CONTENTS.items() if any(_has(image, name) for name in names)
    )


def _has(image: ElfImage, name: str) -> bool:
    try:
        section = image.section(name)
    except BadFileError:
        return False
    return section is not None and section.size > 0
