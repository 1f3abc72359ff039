"""What of an object file is needed to name its addresses, as one stream of bytes.

It begins with the file's size and the places of what follows, each of which comes from the same
place in the file. Unpacked, it is a file of the same size with holes: whoever reads symbols reads
it as it was, and code is not in it.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import FileIO

from ebprof.elf import ElfImage, Section
from ebprof.errors import BadFileError
from ebprof.golang import is_go
from ebprof.symbolize.ids import PIECE

MAX_FILE = 64 << 30
MAX_SPANS = 4096
_MAGIC = b"ebprof-excerpt-1"
_HEAD = struct.Struct("<16sQQ")
_SPAN = struct.Struct("<QQ")
_BLOCK = 1 << 20
_NEAR = 512
"""What lies between two spans that are nearer is sent as well."""

_NAMES = frozenset(
    (
        *(".symtab", ".strtab", ".shstrtab", ".dynsym", ".dynstr", ".dynamic"),
        *(".eh_frame", ".eh_frame_hdr", ".gnu_debugdata", ".gnu_debuglink"),
        *(".plt", ".plt.sec", ".plt.got", ".rela.plt", ".rela.dyn"),
        *(".gopclntab", ".data.rel.ro.gopclntab"),
    )
)
_PREFIXES = (".debug_", ".zdebug_", ".note")
# Of DWARF: where variables are, and indices that are made from the rest.
_UNUSED = frozenset(
    f".{kind}_{name}"
    for kind in ("debug", "zdebug")
    for name in ("loc", "loclists", "macro", "macinfo", "frame", "aranges", "names")
) | frozenset(f".debug_{name}" for name in ("pubnames", "pubtypes", "gnu_pubnames", "gnu_pubtypes"))
# Go's runtime data lead to its table, and say what was inlined.
_GO_PREFIXES = (".rodata", ".noptrdata", ".data.rel.ro", ".go.")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file, from offset to end."""

    offset: int
    end: int


@dataclass(frozen=True)
class Excerpt:
    """Spans of a file, in order, none of which touch; size: of the file."""

    size: int
    spans: tuple[Span, ...]

    @cached_property
    def head(self) -> bytes:
        """How its stream begins."""
        places = (_SPAN.pack(one.offset, one.end - one.offset) for one in self.spans)
        return _HEAD.pack(_MAGIC, self.size, len(self.spans)) + b"".join(places)

    def has(self, offset: int, size: int) -> bool:
        """Whether these bytes of the file are in it."""
        place = bisect_right(self.spans, offset, key=lambda one: one.offset) - 1
        return not size or (place >= 0 and offset + size <= self.spans[place].end)

    @cached_property
    def length(self) -> int:
        """Bytes of its stream."""
        return len(self.head) + sum(one.end - one.offset for one in self.spans)

    def read(self, fd: int, position: int, size: int) -> bytes:
        """Bytes of its stream from a position on, fewer at the end of the stream alone.

        Raises BadFileError where the file has become shorter.
        """
        parts = [self.head[position : position + size]]
        place = len(self.head)
        for span in self.spans:
            start, stop = max(position, place), min(position + size, place + span.end - span.offset)
            if start < stop:
                parts.append(_exactly(fd, span.offset + start - place, stop - start))
            place += span.end - span.offset
        return b"".join(parts)


def excerpt_of(image: ElfImage) -> Excerpt:
    """What of an object is needed; all of it where it has no section headers.

    Raises BadFileError.
    """
    found = [Span(0, PIECE), Span(image.size - PIECE, image.size)]
    if any(section.name for section in image.sections):
        found += [Span(one.offset, one.offset + one.size) for one in _needed(image)]
        found += [Span(*place) for place in image.header_places]
    else:
        found.append(Span(0, image.size))
    return Excerpt(image.size, _joined(found, image.size))


def unpack(stream: FileIO, target: FileIO) -> Excerpt:
    """Write the file that a stream is an excerpt of, which is returned; raises BadFileError."""
    excerpt = read_head(stream)
    if excerpt.length != os.fstat(stream.fileno()).st_size:
        raise BadFileError("an excerpt of another length")
    os.truncate(target.fileno(), excerpt.size)
    position = len(excerpt.head)
    for span in excerpt.spans:
        _copy(stream, position, target, span)
        position += span.end - span.offset
    return excerpt


def copy(source: FileIO, excerpt: Excerpt, target: FileIO) -> None:
    """Write the file that an excerpt of another would be unpacked to; raises BadFileError."""
    os.truncate(target.fileno(), excerpt.size)
    for span in excerpt.spans:
        _copy(source, span.offset, target, span)


def needed_sections(image: ElfImage) -> Iterator[Section]:
    """Those that names are made of, of each name the first one; raises BadFileError."""
    names = set()
    for section in _needed(image):
        if section.name not in names:
            names.add(section.name)
            yield section


def read_head(stream: FileIO) -> Excerpt:
    """What a stream says that it has; raises BadFileError."""
    magic, size, count = _HEAD.unpack(_exactly(stream.fileno(), 0, _HEAD.size))
    if magic != _MAGIC or size > MAX_FILE or count > MAX_SPANS:
        raise BadFileError("not an excerpt of an object file")
    data = _exactly(stream.fileno(), _HEAD.size, count * _SPAN.size)
    spans = tuple(Span(offset, offset + length) for offset, length in _SPAN.iter_unpack(data))
    end = -1
    for span in spans:
        if not end < span.offset < span.end <= size:
            raise BadFileError("an excerpt whose parts are in disorder")
        end = span.end
    return Excerpt(size, spans)


def _needed(image: ElfImage) -> Iterator[Section]:
    sections = image.sections
    with_go = is_go(image)
    for section in sections:
        if section.has_contents and _is_needed(section.name, with_go):
            yield section
            if 0 < section.link < len(sections) and sections[section.link].has_contents:
                yield sections[section.link]


def _is_needed(name: str, with_go: bool) -> bool:
    if name in _UNUSED:
        return False
    prefixes = _PREFIXES + _GO_PREFIXES if with_go else _PREFIXES
    return name in _NAMES or name.startswith(prefixes)


def _copy(source: FileIO, position: int, target: FileIO, span: Span) -> None:
    """Write what stands in a file from a position on to where a span is."""
    for offset in range(span.offset, span.end, _BLOCK):
        data = _exactly(source.fileno(), position, min(_BLOCK, span.end - offset))
        os.pwrite(target.fileno(), data, offset)
        position += len(data)


def _joined(spans: Iterable[Span], size: int) -> tuple[Span, ...]:
    """Spans in order and within a file, those that are near to each other as one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: one.offset):
        offset, end = max(0, span.offset), min(span.end, size)
        if found and offset <= found[-1].end + _NEAR:
            found[-1] = Span(found[-1].offset, max(end, found[-1].end))
        elif offset < end:
            found.append(Span(offset, end))
    return tuple(found)


def _exactly(fd: int, offset: int, size: int) -> bytes:
    parts = []
    while size:
        try:
            part = os.pread(fd, size, offset)
        except (OSError, OverflowError) as error:
            raise BadFileError(f"cannot be read: {error}") from None
        if not part:
            raise BadFileError("a file that ends early")
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)
