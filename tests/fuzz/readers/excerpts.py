"""Object files that agents send: whatever comes, it is one object's or is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ebprof.elf import ElfImage, memory_file
from ebprof.errors import BadFileError
from ebprof.symbolize.excerpts import Excerpt, Span, excerpt_of, unpack
from ebprof.symbolize.ids import is_object_id, object_id
from ebprof.symbolize.quality import quality_of


def read(data: bytes) -> None:
    """A stream, and what is unpacked of it."""
    with memory_file(data) as stream, memory_file(b"") as target, suppress(BadFileError):
        unpack(stream, target)
        image = ElfImage(target)
        assert is_object_id(object_id(image)) or len(image.build_id) < 4
        quality_of(image)
        excerpt = excerpt_of(image)
        assert excerpt.length == len(excerpt.read(target.fileno(), 0, excerpt.length))


def seeds() -> Iterator[bytes]:
    """Of this interpreter, the head; and a small one."""
    with Path(sys.executable).open("rb", buffering=0) as file:
        excerpt = excerpt_of(ElfImage(file))
        spans = tuple(one for one in excerpt.spans if one.end <= 1 << 16) or (Span(0, 4096),)
        small = Excerpt(excerpt.size, spans)
        yield small.read(file.fileno(), 0, 1 << 16)
    yield Excerpt(64, (Span(0, 10),)).head + bytes(10)
