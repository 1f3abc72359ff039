"""Inlined calls, files and lines, against addr2line."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ebprof.elf import ElfImage, ObjectFile
from ebprof.errors import BadFileError
from ebprof.model import Frame
from ebprof.symbolize import Symbolizer, cache
from ebprof.symbolize.cache import FileStore
from tests.binutils import functions, run
from tests.unit.symbolize.conftest import INLINED, RUST, STATICS, Compile, opened

FLAGS = ("-O2", "-g")


def addr2line(path: Path, addresses: list[int]) -> dict[int, list[tuple[str, str, int]]]:
    """(function, file, line) innermost first, by address."""
    text = run("addr2line", "-a", "-f", "-i", "-C", "-e", path, *map(hex, addresses))
    found: dict[int, list[tuple[str, str, int]]] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("0x"):
            frames = found[int(line, 16)] = []
            continue
        file, _, number = next(lines).partition(" ")[0].rpartition(":")
        frames.append((line, file, int(number) if number.isdigit() else 0))
    return found


def base_name(function: str) -> str:
    """Without arguments and clone suffixes, which demanglers write differently."""
    return function.partition("(")[0].partition(" [")[0].partition("<")[0].rpartition(" ")[2]


def sample_addresses(path: Path, names: list[str]) -> list[int]:
    found: list[int] = []
    for name, (start, size) in functions(path).items():
        if any(part in name for part in names):
            found.extend(range(start, start + size))
    return found


@pytest.mark.parametrize(
    "flags",
    [
        FLAGS,
        (*FLAGS, "-no-pie"),
        (*FLAGS, "-gdwarf-4"),
        (*FLAGS, "-gz"),
        (*FLAGS, "-ffunction-sections", "-static"),
    ],
    ids=["pie", "no-pie", "dwarf-4", "compressed", "static"],
)
def test_agrees_with_addr2line(
    compile_program: Compile, symbolizer: Symbolizer, flags: tuple[str, ...]
) -> None:
    path = compile_program(INLINED, "g++", *flags)
    addresses = sample_addresses(path, ["_ZN2ns", "_ZNK2ns", "plain_c"])
    expected = addr2line(path, addresses)
    with opened(path) as file:
        locations = symbolizer.object_locations(file, addresses)
    for address in addresses:
        ours = [(base_name(f.function), f.file, f.line) for f in locations[address].frames]
        theirs = [(base_name(name), name_file, line) for name, name_file, line in expected[address]]
        assert ours == theirs, hex(address)
    assert max(len(location.frames) for location in locations.values()) == 3


def test_frames_are_readable_and_keep_the_linkers_name(
    compile_program: Compile, symbolizer: Symbolizer
) -> None:
    path = compile_program(INLINED, "g++", *FLAGS)
    start = functions(path)["_ZN2ns4workEi"][0]
    with opened(path, "/app/program") as file:
        location = symbolizer.object_locations(file, [start])[start]
        build_id = file.image.build_id
    assert location.address == start
    frame = location.frames[-1]
    assert (frame.function, frame.system_name) == ("ns::work(int)", "_ZN2ns4workEi")
    assert frame.file.endswith("source.cpp")
    source = INLINED.splitlines()
    first = source.index("NOINLINE int work(int n) {")
    assert first < frame.line <= source.index("}", first)
    assert location.mapping is not None
    assert (location.mapping.path, location.mapping.build_id) == ("/app/program", build_id)
    assert location.mapping.start <= start < location.mapping.limit


def test_without_inlining_there_is_the_physical_function(
    compile_program: Compile, tmp_path: Path
) -> None:
    path = compile_program(INLINED, "g++", *FLAGS)
    addresses = sample_addresses(path, ["_ZN2ns4workEi"])
    symbolizer = Symbolizer(cache=None, inline=False)
    with opened(path) as file:
        locations = symbolizer.object_locations(file, addresses)
    symbolizer.close()
    assert {location.frames[0].function for location in locations.values()} == {"ns::work(int)"}
    assert all(len(location.frames) == 1 for location in locations.values())
    text = INLINED.splitlines()
    lines = {location.frames[0].line for location in locations.values()}
    assert any("twice(i)" in text[line - 1] for line in lines)
    assert not any("return mix" in text[line - 1] for line in lines)


SPLIT_OFF = r"""
#include <vector>
struct Noisy { ~Noisy(); int *p; };
__attribute__((noinline)) Noisy::~Noisy() { delete p; }
__attribute__((noinline)) int grow(std::vector<int> &v) { v.push_back(1); return v[0]; }
int main(int argc, char **) {
    Noisy guard{new int(argc)};
    std::vector<int> values;
    return grow(values);
}
"""


def test_parts_split_off_have_a_name_of_their_own(
    compile_program: Compile, symbolizer: Symbolizer
) -> None:
    path = compile_program(SPLIT_OFF, "g++", *FLAGS)
    symbols = functions(path)
    if "main.cold" not in symbols:
        pytest.skip("this compiler does not split main")
    whole, cold = symbols["main"][0], symbols["main.cold"][0]
    with opened(path) as file:
        found = symbolizer.object_locations(file, [whole, cold])
    assert found[whole].frames[-1].function == "main"
    assert found[cold].frames[-1].function == "main.cold"
    assert found[cold].frames[-1].line > 0


def test_rust(compile_program: Compile, symbolizer: Symbolizer) -> None:
    for mangling in ("legacy", "v0"):
        flags = ["-Csymbol-mangling-version=v0"] if mangling == "v0" else []
        path = compile_program(RUST, "rustc", "-g", "-O", *flags)
        symbols = functions(path)
        compute = next(start for name, (start, _) in symbols.items() if "inner7compute" in name)
        turn = next(start for name, (start, _) in symbols.items() if "4turn" in name)
        with opened(path) as file:
            found = symbolizer.object_locations(file, [compute, turn])
        crate, _, rest = found[compute].frames[-1].function.partition("::")
        assert (crate.isidentifier(), rest) == (True, "inner::compute")
        assert "inner::Wheel<" in found[turn].frames[-1].function
        assert found[turn].frames[-1].function.endswith("::turn")
        assert found[turn].frames[-1].file.endswith("source.rs")


def test_separate_debug_file_by_build_id(compile_program: Compile, tmp_path: Path) -> None:
    stripped, debug = split(compile_program(INLINED, "g++", *FLAGS), tmp_path)
    with opened(stripped) as file:
        build_id = file.image.build_id
    place = tmp_path / f"root/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
    place.parent.mkdir(parents=True)
    debug.rename(place)
    with opened(stripped, "/app/program", root=str(tmp_path / "root")) as file:
        assert_has_lines(file, compile_program(INLINED, "g++", *FLAGS))


@pytest.mark.parametrize("place", ["app", "app/.debug", "usr/lib/debug/app"])
def test_separate_debug_file_by_link(compile_program: Compile, tmp_path: Path, place: str) -> None:
    program = compile_program(INLINED, "g++", *FLAGS, "-Wl,--build-id=none")
    stripped, debug = split(program, tmp_path)
    run("objcopy", f"--add-gnu-debuglink={debug}", stripped)
    target = tmp_path / "root" / place / debug.name
    target.parent.mkdir(parents=True)
    debug.rename(target)
    with opened(stripped, "/app/program", root=str(tmp_path / "root")) as file:
        assert file.image.build_id == ""
        assert_has_lines(file, program)


def test_debug_file_of_another_build_is_refused(compile_program: Compile, tmp_path: Path) -> None:
    program = compile_program(INLINED, "g++", *FLAGS, "-Wl,--build-id=none")
    stripped, debug = split(program, tmp_path)
    run("objcopy", f"--add-gnu-debuglink={debug}", stripped)
    target = tmp_path / "root/app" / debug.name
    target.parent.mkdir(parents=True)
    target.write_bytes(debug.read_bytes() + b"\0")
    start = functions(program)["_ZN2ns4workEi"][0]
    symbolizer = Symbolizer(cache=None)
    with opened(stripped, "/app/program", root=str(tmp_path / "root")) as file:
        (location,) = symbolizer.object_locations(file, [start]).values()
    symbolizer.close()
    assert location.frames == (Frame(f"[program]+0x{start:x}"),)


def split(program: Path, directory: Path) -> tuple[Path, Path]:
    """A stripped copy of a program, and its debug file."""
    stripped, debug = directory / "stripped", directory / "program.debug"
    run("objcopy", "--only-keep-debug", program, debug)
    run("objcopy", "--strip-all", program, stripped)
    return stripped, debug


def assert_has_lines(file: ObjectFile, program: Path) -> None:
    start = functions(program)["_ZN2ns4workEi"][0]
    symbolizer = Symbolizer(cache=None)
    (location,) = symbolizer.object_locations(file, [start]).values()
    symbolizer.close()
    assert location.frames[-1].function == "ns::work(int)"
    assert location.frames[-1].line > 0


def test_cache_is_used_and_rebuilt_when_corrupt(compile_program: Compile, tmp_path: Path) -> None:
    path = compile_program(STATICS, "gcc", *FLAGS)
    start = functions(path)["visible"][0]
    directory = tmp_path / "cache"

    def lines() -> list[int]:
        symbolizer = Symbolizer(cache=directory)
        with opened(path) as file:
            (location,) = symbolizer.object_locations(file, [start]).values()
        symbolizer.close()
        return [frame.line for frame in location.frames]

    expected = lines()
    (kept,) = directory.iterdir()
    inode = kept.stat().st_ino
    assert lines() == expected
    assert kept.stat().st_ino == inode
    for damage in (b"", b"garbage" * 100, kept.read_bytes()[:100]):
        kept.write_bytes(damage)
        assert lines() == expected
        (kept,) = directory.iterdir()
        assert kept.stat().st_size > 300


def test_a_file_cannot_speak_for_another_with_its_build_id(
    compile_program: Compile, tmp_path: Path
) -> None:
    flags = (*FLAGS, "-Wl,--build-id=0x1234567890")
    honest = compile_program(STATICS, "gcc", *flags)
    liar = compile_program(STATICS.replace("visible", "lies"), "gcc", *flags)
    start = functions(honest)["visible"][0]
    symbolizer = Symbolizer(cache=tmp_path / "cache")
    with opened(liar) as file:
        symbolizer.object_locations(file, [functions(liar)["lies"][0]])
    with opened(honest) as file:
        (location,) = symbolizer.object_locations(file, [start]).values()
    symbolizer.close()
    assert location.frames[-1].function == "visible"
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_cache_of_others_is_not_used(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    directory.mkdir()
    directory.chmod(0o777)
    store = FileStore(directory)
    assert "can be written by other users" in store.warning
    link = tmp_path / "link"
    directory.chmod(0o700)
    link.symlink_to(directory)
    assert FileStore(link).warning
    assert not FileStore(directory).warning


def test_cache_keeps_within_its_limit(tmp_path: Path) -> None:
    store = FileStore(tmp_path, limit=2500)
    for number in range(4):
        entry = store.create()
        entry.file.write(bytes(1000))
        if number == 2:
            kept = store.open("0")
            assert kept is not None
            kept.close()
        else:
            os.utime(entry.file.fileno(), ns=(number, number))
        store.commit(entry, str(number))
        entry.discard()
    found = [file for key in "0123" if (file := store.open(key))]
    oldest = store.open("0")
    assert oldest is not None
    for file in [oldest, *found]:
        file.close()
    store.close()
    assert len(found) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_the_cache_is_not_looked_through_for_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda at: looks.append(at) or scandir(at))
    store = FileStore(tmp_path, limit=100 * 1000)
    for number in range(200):
        entry = store.create()
        entry.file.write(bytes(1000))
        store.commit(entry, str(number))
        entry.discard()
    store.close()
    assert len(looks) < 40
    assert 90 <= len(list(tmp_path.iterdir())) <= 100


def test_nothing_is_written_to_a_full_disk(
    compile_program: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_MIN_FREE", 1 << 62)
    path = compile_program(STATICS, "gcc", *FLAGS)
    symbolizer = Symbolizer(cache=tmp_path / "cache")
    with opened(path) as file:
        (location,) = symbolizer.object_locations(file, [functions(path)["visible"][0]]).values()
    symbolizer.close()
    assert location.frames[-1].line
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("seed", range(40))
def test_survives_damage_anywhere(
    compile_program: Compile, symbolizer: Symbolizer, seed: int
) -> None:
    program = compile_program(INLINED, "g++", *FLAGS)
    start = functions(program)["_ZN2ns4workEi"][0]
    choose = random.Random(seed)
    data = bytearray(program.read_bytes())
    with opened(program) as file:
        debug = [s for s in file.image.sections if s.name.startswith(".debug")]
    first = 0 if seed % 2 else debug[0].offset
    for _ in range(choose.randrange(1, 100)):
        data[choose.randrange(first, len(data))] = choose.randrange(256)
    try:
        file = ObjectFile.from_memory(bytes(data), "/app/program")
    except BadFileError as error:
        assert "/app/program" in error.message
        return
    locations = symbolizer.object_locations(file, range(start, start + 64))
    file.close()
    assert len(locations) == 64
    assert all(frame.function for location in locations.values() for frame in location.frames)


def test_corrupt_dwarf_costs_only_lines(
    compile_program: Compile, tmp_path: Path, symbolizer: Symbolizer
) -> None:
    program = compile_program(STATICS, "gcc", *FLAGS)
    start = functions(program)["visible"][0]
    data = bytearray(program.read_bytes())
    with opened(program) as file:
        sections = [s for s in file.image.sections if s.name.startswith(".debug")]
    for section in sections:
        data[section.offset : section.offset + section.size] = bytes(
            (7 * i + 3) & 0xFF for i in range(section.size)
        )
    damaged = tmp_path / "damaged"
    damaged.write_bytes(data)
    with opened(damaged) as file:
        (location,) = symbolizer.object_locations(file, [start]).values()
    assert location.frames[-1].function == "visible"


def test_truncated_file_with_dwarf(compile_program: Compile, tmp_path: Path) -> None:
    program = compile_program(STATICS, "gcc", *FLAGS)
    start = functions(program)["visible"][0]
    copy = tmp_path / "copy"
    copy.write_bytes(program.read_bytes())
    symbolizer = Symbolizer(cache=None)
    with opened(copy) as file:
        assert file.image.section(".debug_info") is not None
        os.truncate(copy, 8192)
        (location,) = symbolizer.object_locations(file, [start]).values()
    assert location.frames == (Frame(f"[copy]+0x{start:x}"),)
    assert len(symbolizer.warnings) == 1
    assert str(copy) in symbolizer.warnings[0]
    symbolizer.close()


def test_answers_are_remembered_after_the_file_is_closed(
    compile_program: Compile, symbolizer: Symbolizer
) -> None:
    path = compile_program(STATICS, "gcc", *FLAGS)
    start = functions(path)["visible"][0]
    with opened(path) as file:
        first = symbolizer.object_locations(file, [start])
    symbolizer.close()
    assert symbolizer.object_locations(file, iter([start]))[start] is first[start]


def test_object_without_any_symbols(
    compile_program: Compile, tmp_path: Path, symbolizer: Symbolizer
) -> None:
    stripped, _ = split(compile_program(STATICS, "gcc", *FLAGS), tmp_path)
    start = functions(compile_program(STATICS, "gcc", *FLAGS))["visible"][0]
    with opened(stripped, "/app/program") as file:
        assert isinstance(file.image, ElfImage)
        (location,) = symbolizer.object_locations(file, [start]).values()
    assert location.frames == (Frame(f"[program]+0x{start:x}"),)
    assert location.mapping is not None
    assert location.mapping.path == "/app/program"
