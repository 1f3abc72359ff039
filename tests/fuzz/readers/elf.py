"""ELF files: headers, sections, notes, rows of every kind, symbols, PLT stubs, MiniDebugInfo."""

from __future__ import annotations

import lzma
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ebprof.elf import ElfImage, memory_file
from ebprof.errors import BadFileError
from ebprof.symbolize.plt import StubTable
from ebprof.symbolize.symtab import read_symbols
from ebprof.unwind.compile import frame_sections
from ebprof.unwind.object_rows import object_rows

LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
MOST_BYTES = 20_000
SOURCE = "int f(int x) { return x + 1; } int g(int x) { char b[9]; return f(b[x]); }"


def read(data: bytes) -> None:
    """Ask an image everything that is asked of a mapped object."""
    with memory_file(data) as file:
        try:
            image = ElfImage(file)
        except BadFileError:
            return
        for ask in _QUESTIONS:
            with suppress(BadFileError):
                ask(image)


def seeds() -> Iterator[bytes]:
    """The smallest libraries here, a linked object with all that there is, and pieces of it."""
    paths = {path.resolve() for path in LIBRARIES.glob("*.so.*") if path.is_file()}
    small = sorted(paths, key=lambda path: path.stat().st_size)[:6]
    yield from (path.read_bytes() for path in small if path.stat().st_size < MOST_BYTES)
    with tempfile.TemporaryDirectory() as directory:
        yield from _made(Path(directory))


def _made(directory: Path) -> Iterator[bytes]:
    if shutil.which("gcc") is None:
        return
    source, path, link = directory / "x.c", directory / "x.so", directory / "x.debug"
    source.write_text(SOURCE)
    flags = ["-shared", "-fPIC", "-O1", "-nostdlib", "-Wl,--build-id,-z,noseparate-code"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(path)], check=True)
    yield path.read_bytes()
    packed = directory / "packed"
    packed.write_bytes(lzma.compress(path.read_bytes()))
    subprocess.run(["objcopy", "--only-keep-debug", str(path), str(link)], check=True)
    options = [
        "--strip-all",
        f"--add-section=.gnu_debugdata={packed}",
        f"--add-gnu-debuglink={link}",
    ]
    subprocess.run(["objcopy", *options, str(path)], check=True, capture_output=True)
    yield path.read_bytes()
    subprocess.run(["gcc", "-g", "-c", "-gz", str(source), "-o", str(path)], check=True)
    yield path.read_bytes()


def _rows(image: ElfImage) -> None:
    object_rows(image, frame_sections(image))


def _symbols(image: ElfImage) -> None:
    symbols, stubs = read_symbols(image), StubTable(image)
    places = {edge for one in image.segments for edge in (one.address, one.address + one.file_size)}
    for address in {0, 1, 0x1000, 2**63, 2**64 - 1, *list(places)[:20]}:
        symbols.find(address)
        stubs.find(address)
        image.segment_of_address(address)
        image.code_address(address)


_QUESTIONS: tuple[Callable[[ElfImage], Any], ...] = (
    lambda image: image.segments,
    lambda image: image.build_id,
    lambda image: image.debuglink,
    lambda image: image.sections,
    lambda image: image.section_data(".debug_info", limit=1 << 20),
    _rows,
    _symbols,
)
