"""Seeds of the targets in C: sections of this machine's programs and libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError

PLACES = ("/usr/lib/x86_64-linux-gnu", "/usr/bin")
MOST = 40
LONGEST = 4096
# A target's inputs begin with its options.
OPTIONS = {"eh_frame_fuzz": bytes(1)}
NAMES = {"eh_frame_fuzz": ".eh_frame", "pclntab_fuzz": ".gopclntab", "code_fuzz": ".text"}


def of(target: str) -> Iterator[bytes]:
    """The beginning of the section that a target reads, of as many files; at least something."""
    yield bytes(LONGEST)
    name = NAMES.get(target)
    found = 0
    for path in _files() if name else ():
        data = _section(path, name or "")
        if data and found < MOST:
            found += 1
            yield OPTIONS.get(target, b"") + data[:LONGEST]


def _files() -> list[Path]:
    paths = (path for place in PLACES for path in Path(place).glob("*"))
    files = {path.resolve() for path in paths if path.is_file()}
    return sorted(files, key=lambda path: path.stat().st_size)


def _section(path: Path, name: str) -> bytes:
    with suppress(BadFileError, OSError), FileIO(str(path)) as file:
        return ElfImage(file).section_data(name) or b""
    return b""
