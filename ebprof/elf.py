"""Reads what an ELF file says about itself: segments, sections, notes (ELF gABI chapters 4, 5).

pyelftools decodes every structure, but its classes for files and sections are not used: they read
symbol, hash and dynamic tables of any size as soon as a section is looked at, which takes ten times
as long and whatever memory a hostile file asks for (docs/decisions/0005-elf-reading.md). Files are
read, not mapped: their owner may truncate them at any time, and touching a lost page of a mapping
would be SIGBUS.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO, FileIO
from itertools import islice
from types import SimpleNamespace
from typing import Any, NoReturn

from elftools.common.exceptions import ELFError
from elftools.common.utils import struct_parse
from elftools.construct import Construct, ConstructError
from elftools.elf.constants import P_FLAGS, SH_FLAGS
from elftools.elf.enums import ENUM_E_MACHINE
from elftools.elf.notes import iter_notes
from elftools.elf.structs import ELFStructs

from ebprof.compression import ZLIB, decompress, old_header
from ebprof.errors import BadFileError

MAGIC = b"\x7fELF"
EM_X86_64 = ENUM_E_MACHINE["EM_X86_64"]

SECTION_LIMIT = 256 << 20
"""Bytes of one section that are read (or decompressed) unless the caller says otherwise."""

# Linked objects have a few dozen; the extended numbering from 65,280 on is not read.
_MAX_HEADERS = 4096
_MAX_NAMES = 16 << 20
_MAX_NAME = 256
_MAX_NOTE_SEGMENTS = 8
_MAX_NOTES = 16 << 10
_MAX_BUILD_ID = 64
_MAX_HEADER = 24
"""Bytes before those of a compressed section that say how it is compressed."""
_PAGE = 4096

_COMPRESSIBLE, _OLD_COMPRESSED = ".debug_", ".zdebug_"

_IDENT_SIZE = 16
_TABLE = ("off", "entsize", "num")
_CLASSES = {1: 32, 2: 64}
_IS_LITTLE_ENDIAN = {1: True, 2: False}
# DWARF exception header encodings (LSB core, 10.5): a 4-byte offset from its own place.
_EH_PE_PCREL_SDATA4 = 0x1B
_EH_FRAME_POINTER = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file that is mapped (PT_LOAD); address is p_vaddr, sizes are in bytes."""

    offset: int
    address: int
    file_size: int
    memory_size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A section header; `link` is that of gABI chapter 4, has_contents is False for SHT_NOBITS."""

    name: str
    address: int
    offset: int
    size: int
    link: int = 0
    has_contents: bool = True
    is_compressed: bool = False


@dataclass(frozen=True, slots=True)
class DebugLink:
    """Name and CRC-32 of the separate debug file (`.gnu_debuglink`)."""

    name: bytes
    crc: int


class ElfImage:
    """The headers of an ELF file.

    source: a descriptor or a file that has one; read with pread, never closed here. Everything
    beyond the program headers is read when asked for. Raises BadFileError, here or from any
    method, when the file is not ELF, is truncated or contradicts itself, or has more than 4,096
    program or section headers.
    """

    def __init__(self, source: int | FileIO) -> None:
        self._source = source
        self.size = os.fstat(self.fd).st_size
        ident = self._read(0, _IDENT_SIZE)
        if not ident.startswith(MAGIC):
            raise BadFileError("not an ELF file")
        self._structs = _structs(ident[4:6])
        self.is_64 = self._structs.elfclass == 64
        self.byte_order = "<" if self._structs.little_endian else ">"
        self._header = self._parse(self._structs.Elf_Ehdr, 0)
        machine = self._header["e_machine"]
        self.machine: int = ENUM_E_MACHINE.get(machine, machine)
        self._program_headers = self._table(self._structs.Elf_Phdr, "e_ph")

    @property
    def fd(self) -> int:
        """The descriptor that is read; raises BadFileError once its file is closed."""
        # Asked for at every read: the number of a closed file soon belongs to another.
        if isinstance(self._source, int):
            return self._source
        if self._source.closed:
            raise BadFileError("ELF file is closed")
        return self._source.fileno()

    @property
    def entry(self) -> int:
        """The address where a program starts, 0 in most libraries."""
        return int(self._header["e_entry"])

    @property
    def header_places(self) -> tuple[tuple[int, int], ...]:
        """From where to where in the file the program headers and the section headers are."""
        found = ([self._header[fields + end] for end in _TABLE] for fields in ("e_ph", "e_sh"))
        return tuple((offset, offset + size * count) for offset, size, count in found)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The PT_LOAD segments in the file's order."""
        return tuple(
            Segment(h["p_offset"], h["p_vaddr"], h["p_filesz"], h["p_memsz"], _is_executable(h))
            for h in self._headers_of_type("PT_LOAD")
        )

    @cached_property
    def build_id(self) -> str:
        """The GNU build ID in lower-case hex, empty where there is none."""
        for header in islice(self._headers_of_type("PT_NOTE"), _MAX_NOTE_SEGMENTS):
            build_id = self._note_build_id(header["p_offset"], header["p_filesz"])
            if build_id:
                return build_id
        try:
            note = self.section(".note.gnu.build-id")
        except BadFileError:
            return ""
        return self._note_build_id(note.offset, note.size) if note else ""

    @cached_property
    def debuglink(self) -> DebugLink | None:
        """Where a separate debug file is to be looked for, by name."""
        data = self.section_data(".gnu_debuglink", limit=_PAGE * 2)
        if data is None:
            return None
        link = _decode(self._structs.Gnu_debuglink, BytesIO(data))
        if not link["filename"]:
            _corrupt(".gnu_debuglink")
        return DebugLink(link["filename"], link["checksum"])

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """All sections in the file's order (so that `link` is an index); empty when stripped."""
        headers = self._table(self._structs.Elf_Shdr, "e_sh")
        names = self._section_names(headers)
        return tuple(_section(header, names) for header in headers)

    def section(self, name: str) -> Section | None:
        """The first section of that name that has contents in this file.

        What is kept as `.zdebug_info` is `.debug_info` as well.
        """
        return self._sections_by_name.get(name)

    def section_data(self, name: str, limit: int = SECTION_LIMIT) -> bytes | None:
        """Contents of a section, decompressed; None where there is no such section."""
        section = self.section(name)
        return None if section is None else self.contents(section, limit)

    def contents(self, section: Section, limit: int = SECTION_LIMIT) -> bytes:
        """Contents of a section, decompressed; raises BadFileError beyond `limit` bytes."""
        if section.size > limit:
            raise BadFileError(f"section {section.name} of {section.size} bytes is too large")
        data = self._read(section.offset, section.size)
        return self._decompress(section, data, limit) if section.is_compressed else data

    def plain_size(self, section: Section) -> int:
        """Bytes that a section says it has when it is unpacked; raises BadFileError."""
        if not section.is_compressed:
            return section.size
        return self._packed(section, self._read(section.offset, min(section.size, _MAX_HEADER)))[1]

    def eh_frame_section(self) -> Section | None:
        """`.eh_frame`, found through PT_GNU_EH_FRAME when the section headers are gone.

        In that case its size is not known and reaches to the end of its segment; the frames end
        at the first entry of length zero.
        """
        try:
            section = self.section(".eh_frame")
        except BadFileError:
            section = None
        return section or self._eh_frame_by_header()

    def code_address(self, offset: int) -> int | None:
        """The virtual address (p_vaddr) of a file offset that is mapped executable; None if none.

        Whole pages are mapped: what precedes a segment in its first page is mapped with it, and
        has an address there, even where a data segment ends in the same page.
        """
        for segment in self.segments:
            start = segment.offset // _PAGE * _PAGE
            if segment.executable and start <= offset < segment.offset + segment.file_size:
                return segment.address + offset - segment.offset
        return None

    def bytes_at(self, address: int, size: int) -> bytes:
        """Contents at a virtual address; raises BadFileError where the file has not all of them."""
        segment = self.segment_of_address(address)
        if segment is None or address + size > segment.address + segment.file_size:
            _corrupt(f"nothing at 0x{address:x}")
        return self._read(segment.offset + address - segment.address, size)

    def place_of(self, kind: str) -> Section | None:
        """Where the first program header of a kind (`PT_DYNAMIC`) points; None without one."""
        for header in self._headers_of_type(kind):
            return Section(kind, header["p_vaddr"], header["p_offset"], header["p_filesz"])
        return None

    def segment_of_address(self, address: int) -> Segment | None:
        """The segment that holds a virtual address, an executable one if several do."""
        for segment in self._executable_first:
            if segment.address <= address < segment.address + segment.memory_size:
                return segment
        return None

    @cached_property
    def _executable_first(self) -> tuple[Segment, ...]:
        return tuple(sorted(self.segments, key=lambda segment: not segment.executable))

    @cached_property
    def _sections_by_name(self) -> dict[str, Section]:
        found: dict[str, Section] = {}
        for section in self.sections:
            if section.has_contents:
                found.setdefault(section.name, section)
        for name, section in list(found.items()):
            if name.startswith(_OLD_COMPRESSED):
                found.setdefault(name.replace(_OLD_COMPRESSED, _COMPRESSIBLE, 1), section)
        return found

    def _headers_of_type(self, kind: str) -> Iterator[Any]:
        return (header for header in self._program_headers if header["p_type"] == kind)

    def _read(self, offset: int, size: int) -> bytes:
        if offset + size > self.size:
            _corrupt("something lies beyond its end")
        parts = []
        while size:
            part = self._read_some(offset, size)
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)

    def _read_some(self, offset: int, size: int) -> bytes:
        try:
            data = os.pread(self.fd, size, offset)
        except OSError as error:
            raise BadFileError(f"cannot read ELF file: {error.strerror}") from None
        return data or _corrupt("it was truncated")

    def _parse(self, structure: Construct, offset: int) -> Any:
        return _decode(structure, BytesIO(self._read(offset, structure.sizeof())))

    def _table(self, structure: Construct, fields: str) -> list[Any]:
        """All program (e_ph...) or section headers (e_sh...)."""
        offset, entry_size, count = (self._header[fields + end] for end in _TABLE)
        if not offset or not count:
            return []
        if entry_size != structure.sizeof():
            _corrupt(f"header entries of {entry_size} bytes")
        if count > _MAX_HEADERS:
            _corrupt(f"{count} headers")
        stream = BytesIO(self._read(offset, entry_size * count))
        return [_decode(structure, stream) for _ in range(count)]

    def _section_names(self, headers: list[Any]) -> bytes:
        index = self._header["e_shstrndx"]
        if not headers or not index:
            return b""
        if index >= len(headers):
            _corrupt("no section names")
        offset, size = headers[index]["sh_offset"], headers[index]["sh_size"]
        if size > _MAX_NAMES:
            _corrupt(f"section names of {size} bytes")
        return self._read(offset, size)

    def _note_build_id(self, offset: int, size: int) -> str:
        if size > _MAX_NOTES or offset + size > self.size:
            return ""
        stream = BytesIO(self._read(offset, size))
        # What `iter_notes` needs of an ELFFile, over these notes alone.
        source: Any = SimpleNamespace(
            stream=stream, structs=self._structs, elfclass=self._structs.elfclass
        )
        with suppress(ELFError, ConstructError):
            for note in iter_notes(source, 0, size):
                if _is_build_id(note):
                    return str(note["n_descdata"].hex())
        return ""

    def _decompress(self, section: Section, data: bytes, limit: int) -> bytes:
        try:
            return decompress(*self._packed(section, data), limit)
        except BadFileError as error:
            raise BadFileError(f"section {section.name}: {error.message}") from None

    def _packed(self, section: Section, data: bytes) -> tuple[object, int, bytes]:
        """How it is compressed (ch_type), its size when unpacked, and what is to be unpacked."""
        if section.name.startswith(_OLD_COMPRESSED):
            return (ZLIB, *old_header(data))
        stream = BytesIO(data)
        header = _decode(self._structs.Elf_Chdr, stream)
        return header["ch_type"], header["ch_size"], stream.read()

    def _eh_frame_by_header(self) -> Section | None:
        """Where `.eh_frame_hdr` says that it is; pyelftools does not read that."""
        header = self.place_of("PT_GNU_EH_FRAME")
        if header is None:
            return None
        offset, address = header.offset, header.address + _EH_FRAME_POINTER
        version, encoding = self._read(offset, 2)
        if version != 1 or encoding != _EH_PE_PCREL_SDATA4:
            return None
        address += self._parse(self._structs.Elf_sword(""), offset + _EH_FRAME_POINTER)
        segment = self.segment_of_address(address)
        if segment is None or address >= segment.address + segment.file_size:
            _corrupt(".eh_frame_hdr")
        skip = address - segment.address
        return Section(".eh_frame", address, segment.offset + skip, segment.file_size - skip)


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """What tells object files apart, also when one replaces another under the same name.

    content: a checksum where device and inode say nothing (what was copied from memory), else 0.
    """

    device: int
    inode: int
    size: int
    modified_ns: int
    build_id: str
    content: int = 0


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """An object file that a process maps, open.

    path: as the process names it, printable. file: owned; `close` it.
    root: `/proc/PID/root` of a process that maps it, where separate debug files are looked for;
    empty when there is none. The process may be gone by then.
    """

    path: str
    file: FileIO
    image: ElfImage
    root: str
    key: ObjectKey

    @classmethod
    def open(cls, file: FileIO, path: str, root: str = "") -> ObjectFile:
        """Take a file over; it is closed again when BadFileError is raised."""
        try:
            image = ElfImage(file)
            return cls(path, file, image, root, _key_of(image))
        except BadFileError as error:
            file.close()
            raise BadFileError(f"{path}: {error.message}", error.hint) from None

    @classmethod
    def from_memory(cls, data: bytes, path: str, root: str = "") -> ObjectFile:
        """An object file of which there is only a copy in memory, such as the vDSO."""
        file = memory_file(data)
        found = cls.open(file, path, root)
        key = ObjectKey(0, 0, len(data), 0, found.image.build_id, zlib.crc32(data))
        return cls(path, file, found.image, root, key)

    @property
    def fd(self) -> int:
        """The open descriptor."""
        return self.file.fileno()

    def close(self) -> None:
        """Close the descriptor; more than once is fine."""
        self.file.close()


def memory_file(data: bytes) -> FileIO:
    """An anonymous file with these contents; raises BadFileError when there cannot be one more."""
    try:
        file = FileIO(os.memfd_create("ebprof"), "r+b")
    except OSError as error:
        raise BadFileError(f"cannot make a file in memory: {error.strerror}") from None
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
    return file


def open_regular(path: str | bytes, flags: int = 0) -> FileIO:
    """Open a file that others name, for reading.

    A FIFO would block and a device may act when opened, so that the file is looked at first
    (O_PATH) and opened only when it is a regular one. Raises OSError, or BadFileError when the
    file is something else.
    """
    place = os.open(path, os.O_PATH | os.O_CLOEXEC | flags)
    try:
        return reopen_regular(place)
    finally:
        os.close(place)


def reopen_regular(place: int) -> FileIO:
    """Open for reading what an O_PATH descriptor stands for; see `open_regular`."""
    if not stat.S_ISREG(os.fstat(place).st_mode):
        raise BadFileError("not a regular file")
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    return FileIO(os.open(f"/proc/self/fd/{place}", flags), "rb")


def _key_of(image: ElfImage) -> ObjectKey:
    info = os.fstat(image.fd)
    return ObjectKey(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, image.build_id)


@lru_cache
def _structs(encoding: bytes) -> ELFStructs:
    """pyelftools' structures for EI_CLASS and EI_DATA; making them takes 0.6 ms."""
    elf_class, byte_order = encoding
    if elf_class not in _CLASSES or byte_order not in _IS_LITTLE_ENDIAN:
        _corrupt("unknown class or byte order")
    structs = ELFStructs(_IS_LITTLE_ENDIAN[byte_order], _CLASSES[elf_class])
    structs.create_basic_structs()
    structs.create_advanced_structs()
    return structs


def _decode(structure: Construct, stream: BytesIO) -> Any:
    try:
        return struct_parse(structure, stream)
    except ELFError as error:
        _corrupt(str(error))


def _is_executable(program_header: Any) -> bool:
    return bool(program_header["p_flags"] & P_FLAGS.PF_X)


def _section(header: Any, names: bytes) -> Section:
    name = _name_at(names, header["sh_name"])
    return Section(
        name=name,
        address=header["sh_addr"],
        offset=header["sh_offset"],
        size=header["sh_size"],
        link=header["sh_link"],
        has_contents=header["sh_type"] != "SHT_NOBITS",
        is_compressed=bool(header["sh_flags"] & SH_FLAGS.SHF_COMPRESSED)
        or name.startswith(_OLD_COMPRESSED),
    )


def _name_at(names: bytes, offset: int) -> str:
    end = names.find(b"\0", offset, offset + _MAX_NAME)
    return names[offset:end].decode("ascii", "replace") if end >= 0 else ""


def _is_build_id(note: Any) -> bool:
    is_whole = len(note["n_descdata"]) == note["n_descsz"]
    is_build_id = note["n_type"] == "NT_GNU_BUILD_ID" and note["n_name"] == "GNU"
    return is_build_id and is_whole and len(note["n_descdata"]) <= _MAX_BUILD_ID


def _corrupt(what: str) -> NoReturn:
    raise BadFileError(f"corrupt ELF file: {what}")
