"""How much an object file says about its functions."""

from __future__ import annotations

from enum import IntEnum

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError

_DWARF = (".debug_info", ".zdebug_info")
_TABLES = (".symtab", ".gnu_debugdata", ".gopclntab", ".data.rel.ro.gopclntab")
_DYNAMIC = (".dynsym",)


class Quality(IntEnum):
    """Of the best symbols in a file, in order."""

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


def _has(image: ElfImage, name: str) -> bool:
    try:
        section = image.section(name)
    except BadFileError:
        return False
    return section is not None and section.size > 0
