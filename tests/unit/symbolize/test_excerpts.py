"""What is sent of an object file names its addresses just as the file itself does."""

from __future__ import annotations

import random
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest

from ebprof.elf import ElfImage, open_regular
from ebprof.errors import BadFileError
from ebprof.symbolize.excerpts import Excerpt, Span, excerpt_of, read_head, unpack
from ebprof.symbolize.ids import object_id
from ebprof.symbolize.quality import Quality, quality_of
from tests import objects, stripped
from tests.unit.symbolize.conftest import INLINED, RUST, Compile

LIBC = Path("/usr/lib/x86_64-linux-gnu/libc.so.6")
MOST = 500
Make = Callable[[Path, Path], Path]


def assert_same_names(path: Path, excerpt: Path) -> None:
    """At random addresses of all code."""
    chance = random.Random(1)
    with open_regular(str(path)) as file:
        code = [one for one in ElfImage(file).segments if one.executable]
    addresses = [
        one.address + chance.randrange(one.memory_size) for one in code for _ in range(MOST)
    ]
    expected = objects.frames_by_tool(path, addresses)
    found = objects.frames_by_tool(excerpt, addresses)
    names = {address: frames for address, frames in expected.items() if frames[0].line}
    assert {address: found[address] for address in names} == names
    for address, frames in expected.items():
        if not frames[0].function.startswith("["):
            assert found[address] == frames


@pytest.mark.parametrize(
    ("make", "quality"),
    [
        (stripped.copied, Quality.DWARF),
        (stripped.debug_file, Quality.DWARF),
        (stripped.without_debug, Quality.TABLE),
        (stripped.with_minidebug, Quality.DYNAMIC),
        (stripped.without_symbols, Quality.DYNAMIC),
        (stripped.without_build_id, Quality.DWARF),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_of_each_kind(
    compile_program: Compile, tmp_path: Path, make: Make, quality: Quality
) -> None:
    path = make(compile_program(INLINED, "g++", "-O2", "-g"), tmp_path / "program")
    excerpt = objects.excerpted(path, tmp_path / "excerpt")
    assert_same_names(path, excerpt)
    with objects.opened(excerpt) as file, objects.opened(path) as whole:
        assert quality_of(ElfImage(file)) == quality
        assert object_id(ElfImage(file)) == object_id(ElfImage(whole))


@pytest.mark.parametrize("flags", [("-g",), ("-Cstrip=symbols",)], ids=("dwarf", "stripped"))
def test_of_rust(compile_program: Compile, tmp_path: Path, flags: tuple[str, ...]) -> None:
    path = compile_program(RUST, "rustc", *flags)
    assert_same_names(path, objects.excerpted(path, tmp_path / "excerpt"))


def test_of_a_library_there_is_no_code(tmp_path: Path) -> None:
    with objects.opened(LIBC) as file:
        image = ElfImage(file)
        excerpt = excerpt_of(image)
        text = image.section(".text")
    assert text is not None
    assert excerpt.length < excerpt.size / 4
    spans = [
        one
        for one in excerpt.spans
        if one.offset < text.offset + text.size and one.end > text.offset
    ]
    assert sum(one.end - one.offset for one in spans) < text.size / 10
    assert_same_names(LIBC, objects.excerpted(LIBC, tmp_path / "excerpt"))


def test_of_a_file_without_section_headers_there_is_all(tmp_path: Path) -> None:
    data = bytearray(LIBC.read_bytes())
    data[40:48], data[60:64] = bytes(8), bytes(4)  # e_shoff, e_shnum and e_shstrndx
    path = tmp_path / "headless"
    path.write_bytes(data)
    with objects.opened(path) as file:
        assert excerpt_of(ElfImage(file)).spans == (Span(0, len(data)),)


def test_a_stream_is_read_from_any_position(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4)
    excerpt = Excerpt(1024, (Span(0, 10), Span(100, 130), Span(1000, 1024)))
    with objects.opened(path) as file:
        whole = excerpt.read(file.fileno(), 0, 10_000)
        assert len(whole) == excerpt.length
        assert whole.endswith(path.read_bytes()[1000:])
        for position in range(excerpt.length):
            part = excerpt.read(file.fileno(), position, 37)
            assert part == whole[position : position + 37]
    path.write_bytes(b"short")
    with objects.opened(path) as file, pytest.raises(BadFileError, match="ends early"):
        excerpt.read(file.fileno(), 0, 10_000)


@pytest.mark.parametrize(
    "spans",
    [
        (Span(10, 5),),
        (Span(0, 10), Span(5, 20)),
        (Span(0, 10), Span(10, 20)),
        (Span(20, 30), Span(0, 10)),
        (Span(1000, 1025),),
        (Span((1 << 64) - 10, (1 << 64) - 1),),
        (Span(5, 5),),
    ],
    ids=str,
)
def test_parts_in_disorder_are_refused(tmp_path: Path, spans: tuple[Span, ...]) -> None:
    head = bytearray(Excerpt(1024, (Span(0, 1),) * len(spans)).head)
    for number, span in enumerate(spans):
        length = (span.end - span.offset) % (1 << 64)
        head[32 + 16 * number : 48 + 16 * number] = span.offset.to_bytes(
            8, "little"
        ) + length.to_bytes(8, "little")
    stream = tmp_path / "stream"
    stream.write_bytes(head)
    with objects.opened(stream) as file, pytest.raises(BadFileError, match="in disorder"):
        read_head(file)


def test_a_stream_of_another_length_is_refused(tmp_path: Path) -> None:
    stream = tmp_path / "stream"
    stream.write_bytes(Excerpt(100, (Span(0, 10),)).head + bytes(9))
    with (
        objects.opened(stream) as file,
        FileIO(str(tmp_path / "target"), "w+b") as target,
        pytest.raises(BadFileError, match="another length"),
    ):
        unpack(file, target)


def test_what_has_no_build_id_has_the_hash_of_opentelemetry(tmp_path: Path) -> None:
    import hashlib

    path = stripped.without_build_id(LIBC, tmp_path / "nameless")
    data = path.read_bytes()
    expected = hashlib.sha256(data[:4096] + data[-4096:] + len(data).to_bytes(8, "big"))
    with objects.opened(path) as file:
        assert object_id(ElfImage(file)) == f"htl-{expected.hexdigest()[:32]}"
