"""Finds what Go's runtime knows of its own code: the table `pclntab` (Go's src/runtime/symtab.go).

It is in every Go program, stripped or not, but not always in a section of its own: `.gopclntab`,
`.data.rel.ro.gopclntab`, or somewhere in `.data.rel.ro`. It begins with a magic number, and the
runtime's module data, in a data segment, begin with a pointer to it. Addresses that the table lacks
(all of them since Go 1.26) are in the module data.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebprof.dynamic import DynamicSection, Relocations
from ebprof.elf import EM_X86_64, SECTION_LIMIT, ElfImage, Section, Segment
from ebprof.errors import BadFileError

GO_1_2, GO_1_16, GO_1_18, GO_1_20 = 0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
"""Magic numbers, by the first version of Go that writes them."""

_TABLE_SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab")
_GO_SECTIONS = (*_TABLE_SECTIONS, ".go.buildinfo", ".note.go.buildid", ".go.module", ".noptrdata")
_MODULE_SECTION = ".go.module"
# Magic number, two zeros, one byte an instruction at least, eight bytes a pointer.
_HEADER = re.compile(rb"[\xf0\xf1\xfa\xfb]\xff\xff\xff\0\0\x01\x08")
# All but its first byte: what begins with a literal is searched for fifteen times as fast.
_HEADER_TAIL = re.compile(rb"\xff\xff\xff\0\0\x01\x08")
_HEADER_SIZE = 72
_MAX_PLACES = 16
_MAX_SEARCHED = 256 << 20
_PIECE = 16 << 20
_WORD = 8

# Words of the module data; what follows the text's bounds moves from version to version.
_MODULE_WORDS = 46
_NAMES, _TABLE, _TEXT = 1, 13, 22
_TABLE_1_2 = 0
_FUNCTION_DATA = {GO_1_18: 38, GO_1_20: 40}
_FUNCTION_DATA_1_27 = 43
# Words of the table's header.
_COUNT, _HEADER_TEXT, _HEADER_NAMES, _HEADER_FUNCTIONS = 0, 2, 3, 7


@dataclass(frozen=True, slots=True, eq=False)
class GoTable:
    """The table of one object, as it is once the object is loaded at 0.

    magic: its version. address: of data[0]. text: what offsets of functions are relative to, from
    Go 1.18 on. function_data: what offsets of data about functions are relative to, 0 if unknown.
    """

    magic: int
    address: int
    data: bytes
    text: int
    function_data: int


def fields_at(data: bytes, places: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The 32-bit fields of a table at some places, which are inside: uint32[n]."""
    found: NDArray[np.uint32] = (
        np.frombuffer(data, np.uint8)[places[:, None] + np.arange(4)].copy().view("<u4")
    )
    return found[:, 0]


def is_go(image: ElfImage) -> bool:
    """Whether Go's toolchain may have made a part of an object: by sections that only it makes."""
    try:
        names = {section.name for section in image.sections}
    except BadFileError:
        return True
    return not any(names) or not names.isdisjoint(_GO_SECTIONS)


def find_go_table(
    image: ElfImage, spend: Callable[[int], None] = lambda size: None
) -> GoTable | None:
    """Go's table in an object, None where there is none that can be used.

    spend: is told how many bytes were searched.
    Raises BadFileError when the file contradicts itself.
    """
    if image.machine != EM_X86_64 or not image.is_64 or not is_go(image):
        return None
    search = _Search(image, spend)
    for place in search.places():
        with suppress(BadFileError):
            found = search.table_at(place)
            if found is not None:
                return found
    return None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a table may be. limit: where it ends at the latest; is_sure: a section says so."""

    address: int
    limit: int
    is_sure: bool


class _Search:
    """The search for the table of one object."""

    def __init__(self, image: ElfImage, spend: Callable[[int], None]) -> None:
        self._image = image
        self._spend = spend
        self._left = _MAX_SEARCHED
        self._relocations = _relocations(image)

    def places(self) -> Iterator[_Place]:
        """Sections of the right name, and without such all places that begin like a table."""
        sections = [one for one in map(self._section, _TABLE_SECTIONS) if one is not None]
        for section in sections:
            yield _Place(section.address, section.address + section.size, True)
        if not sections:
            for place in self._find(_HEADER_TAIL, self._image.segments, skipped=1):
                address = place - 1
                segment = self._image.segment_of_address(address)
                if segment is not None:
                    yield _Place(address, segment.address + segment.file_size, False)

    def table_at(self, place: _Place) -> GoTable | None:
        """The table at a place. Where no section says that it is one, module data have to."""
        header = self._loaded(place.address, _HEADER_SIZE)
        if not _HEADER.match(header):
            return None
        (magic,) = struct.unpack_from("<I", header)
        words = struct.unpack_from("<8Q", header, _WORD)
        module = self._module(place.address, magic, words)
        if module is None and not place.is_sure:
            return None
        size = min(place.limit - place.address, SECTION_LIMIT)
        if module is not None and not place.is_sure:
            size = min(size, _end(module, magic) - place.address)
        data = self._loaded(place.address, size)
        text = module[_TEXT] if module else self._text_by_header(magic, words)
        return GoTable(magic, place.address, data, text, _function_data(module, magic))

    def _module(self, address: int, magic: int, header: tuple[int, ...]) -> tuple[int, ...] | None:
        """The words of the module data that belong to a table."""
        for place in self._pointers_to(address):
            with suppress(BadFileError):
                data = self._loaded(place, _MODULE_WORDS * _WORD)
                words = struct.unpack(f"<{_MODULE_WORDS}Q", data)
                if self._is_module(words, address, magic, header):
                    return words
        return None

    def _pointers_to(self, address: int) -> Iterator[int]:
        section = self._section(_MODULE_SECTION)
        if section is not None:
            yield section.address
        yield from self._relocations.pointers_to(address)[:_MAX_PLACES]
        data = [segment for segment in self._image.segments if not segment.executable]
        pattern = re.compile(re.escape(struct.pack("<Q", address)))
        yield from self._find(pattern, data)

    def _is_module(
        self, words: tuple[int, ...], address: int, magic: int, header: tuple[int, ...]
    ) -> bool:
        """Whether module data point to the parts of a table just where its header says."""
        if magic == GO_1_2:
            return words[_TABLE_1_2] == address and words[_TABLE_1_2 + 1] >= _HEADER_SIZE
        if magic == GO_1_16:  # its header has no text
            header = (*header[:_HEADER_TEXT], 0, *header[_HEADER_TEXT:])
        names, functions = header[_HEADER_NAMES], header[_HEADER_FUNCTIONS]
        if words[_NAMES] != address + names or words[_TABLE] != address + functions:
            return False
        segment = self._image.segment_of_address(words[_TEXT])
        return segment is not None and segment.executable

    def _text_by_header(self, magic: int, header: tuple[int, ...]) -> int:
        """Linked by a C toolchain, .text begins with something else."""
        if magic in (GO_1_18, GO_1_20) and header[_HEADER_TEXT]:
            return header[_HEADER_TEXT]
        text = self._section(".text")
        return text.address if text is not None and self._section(".eh_frame") is None else 0

    def _section(self, name: str) -> Section | None:
        try:
            return self._image.section(name)
        except BadFileError:
            return None

    def _loaded(self, address: int, size: int) -> bytes:
        return self._relocations.apply(address, self._image.bytes_at(address, size))

    def _find(
        self, pattern: re.Pattern[bytes], segments: Iterable[Segment], *, skipped: int = 0
    ) -> Iterator[int]:
        """Addresses so many bytes after the beginning of a word where contents match."""
        found = 0
        for segment in segments:
            for start in range(0, segment.file_size, _PIECE):
                if self._left <= 0 or found >= _MAX_PLACES:
                    return
                size = min(_PIECE + _WORD, segment.file_size - start)
                self._left -= size
                self._spend(size)
                data = self._image.bytes_at(segment.address + start, size)
                for match in pattern.finditer(data):
                    address = segment.address + start + match.start()
                    if address % _WORD == skipped and found < _MAX_PLACES:
                        found += 1
                        yield address


def _relocations(image: ElfImage) -> Relocations:
    dynamic = DynamicSection(image)
    try:
        return dynamic.relative_relocations()
    except BadFileError:
        return Relocations.none()


def _end(module: tuple[int, ...], magic: int) -> int:
    """Where a table ends, of which no section says it."""
    table = _TABLE_1_2 if magic == GO_1_2 else _TABLE
    end = module[table] + module[table + 1]
    begin = _function_data(module, magic)
    # Since Go 1.26 data about functions are a part of the table, and its end comes next.
    place = module.index(begin, _TEXT) if begin else 0
    return module[place + 1] if module[table] <= begin < module[place + 1] else end


def _function_data(module: tuple[int, ...] | None, magic: int) -> int:
    if module is None or magic not in _FUNCTION_DATA:
        return 0
    begin, end = module[_FUNCTION_DATA_1_27 : _FUNCTION_DATA_1_27 + 2]
    if module[_TABLE] <= begin < end:
        return begin
    return module[_FUNCTION_DATA[magic]]
