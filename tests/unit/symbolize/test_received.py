"""Files that others wrote, as a collector takes them: what they claim is what there is."""

from __future__ import annotations

from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest

from ebprof.elf import ElfImage
from ebprof.errors import BadFileError
from ebprof.symbolize import received
from ebprof.symbolize.excerpts import Excerpt, Span
from ebprof.symbolize.quality import Quality
from ebprof.symbolize.received import copy, has_code, is_debug_file, kind_of, receive
from tests import stripped, targets
from tests.binutils import run
from tests.claims import COMPRESSED, ZLIB, ZSTD, change, compressed
from tests.objects import Object

MOST = 1 << 30


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return stripped.copied(targets.build("demo"), tmp_path / "whole")


def taken(path: Path, target: Path, most: int = MOST) -> Quality:
    with FileIO(str(path)) as file:
        return copy(file, target, Object.of(path).identity, most)


@pytest.mark.parametrize(
    ("make", "is_debug", "quality"),
    [
        (stripped.copied, False, Quality.DWARF),
        (stripped.without_debug, False, Quality.TABLE),
        (stripped.with_minidebug, False, Quality.DYNAMIC),
        (stripped.without_symbols, False, Quality.DYNAMIC),
        (stripped.debug_file, True, Quality.DWARF),
    ],
)
def test_each_kind_is_told(
    whole: Path,
    tmp_path: Path,
    make: Callable[[Path, Path], Path],
    is_debug: bool,
    quality: Quality,
) -> None:
    path = make(whole, tmp_path / "made")
    with FileIO(str(path)) as file:
        assert kind_of(file) == (is_debug, quality)
        assert has_code(ElfImage(file))
    assert taken(path, tmp_path / "copy") == quality
    with FileIO(str(tmp_path / "copy")) as file:
        assert kind_of(file) == (is_debug, quality)


def test_what_dwz_makes_is_no_program(tmp_path: Path) -> None:
    with FileIO(str(stripped.relocatable(tmp_path / "shared.o"))) as file:
        image = ElfImage(file)
        assert (has_code(image), is_debug_file(image)) == (False, False)


def test_a_copy_is_what_is_received_of_an_excerpt(whole: Path, tmp_path: Path) -> None:
    one = Object.of(whole)
    stream = tmp_path / "stream"
    stream.write_bytes(one.stream)
    assert receive(stream, tmp_path / "received", one.identity) == taken(whole, tmp_path / "copy")
    assert (tmp_path / "received").read_bytes() == (tmp_path / "copy").read_bytes()
    assert (tmp_path / "copy").stat().st_blocks * 512 < whole.stat().st_size


def test_another_build_id_is_refused(whole: Path, tmp_path: Path) -> None:
    for path in (whole, stripped.debug_file(whole, tmp_path / "debug")):
        with FileIO(str(path)) as file, pytest.raises(BadFileError, match="it is the object"):
            copy(file, tmp_path / "copy", "ab01" * 10, MOST)


def test_what_is_too_large_is_refused(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="more than 0 MiB"):
        taken(whole, tmp_path / "copy", 1000)


@pytest.mark.parametrize("size", [4 << 30, 1 << 44, 2**64 - 1])
def test_sections_that_lie_beyond_the_end(whole: Path, tmp_path: Path, size: int) -> None:
    change(whole, ".debug_info", size=size)
    with pytest.raises(BadFileError, match=r"cut off: section \.debug_info lies beyond its end"):
        taken(whole, tmp_path / "copy")


def test_a_sparse_file_that_claims_much_and_sends_little(whole: Path, tmp_path: Path) -> None:
    """The sender's list of spans leaves out what the section has."""
    section = change(whole, ".debug_info", offset=8 << 30, size=4 << 30)
    with whole.open("r+b") as file:
        file.truncate(12 << 30)
    with FileIO(str(whole)) as file:
        image = ElfImage(file)
        names = image.section(".shstrtab")
        assert names is not None
        spans = (Span(0, section.offset + 4096), Span(names.offset, 13 << 20))
        excerpt = Excerpt(12 << 30, spans)
        stream = tmp_path / "stream"
        stream.write_bytes(excerpt.read(file.fileno(), 0, excerpt.length))
        identity = image.build_id
    with pytest.raises(BadFileError, match=r"section \.debug_info is not in it"):
        receive(stream, tmp_path / "received", identity)


@pytest.mark.parametrize("kind", [ZLIB, ZSTD])
def test_compressed_sections_that_unpack_to_too_much(
    whole: Path, tmp_path: Path, kind: int
) -> None:
    compressed(whole, kind, received.MAX_PLAIN + 1)
    with pytest.raises(BadFileError, match="more than 4 GiB, unpacked"):
        taken(whole, tmp_path / "copy")
    compressed(whole, kind, 1000)
    assert taken(whole, tmp_path / "copy") == Quality.DWARF, "it lies: its reader is bounded"


def test_old_compressed_sections(whole: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    run("objcopy", "--compress-debug-sections=zlib-gnu", whole, old)
    assert taken(old, tmp_path / "copy") == Quality.DWARF
    with old.open("r+b", buffering=0) as file:
        section = next(one for one in ElfImage(file).sections if one.name == ".zdebug_info")
        file.seek(section.offset + 4)
        file.write((1 << 50).to_bytes(8, "big"))
    with pytest.raises(BadFileError, match="more than 4 GiB"):
        taken(old, tmp_path / "copy")


def test_a_compressed_section_without_a_header(whole: Path, tmp_path: Path) -> None:
    change(whole, ".debug_info", flags=COMPRESSED, size=5)
    with pytest.raises(BadFileError):
        taken(whole, tmp_path / "copy")


def test_sections_that_lie_on_each_other_count_each(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 0
    with FileIO(str(whole)) as file:
        size = sum(one.size for one in ElfImage(file).sections if one.name.startswith(".debug_"))
    monkeypatch.setattr(received, "MAX_PLAIN", 2 * size)
    taken(whole, tmp_path / "copy")
    info = change(whole, ".debug_info")
    for name in (".debug_line", ".debug_str", ".debug_abbrev", ".debug_rnglists"):
        change(whole, name, offset=info.offset, size=info.size)
    with pytest.raises(BadFileError, match="unpacked"):
        taken(whole, tmp_path / "copy")
