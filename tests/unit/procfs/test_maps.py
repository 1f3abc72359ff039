"""Mappings of real processes: our own, deleted and replaced programs, odd names."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from io import FileIO
from pathlib import Path

import pytest

from ebprof.elf import memory_file
from ebprof.errors import BadFileError, NoTargetError
from ebprof.procfs import maps
from ebprof.procfs.maps import MapsEntry, NotOpenedError, open_named, open_object, read_maps
from tests import targets

SLEEP = Path(shutil.which("sleep") or "/bin/sleep").resolve()


@contextmanager
def running(path: bytes) -> Iterator[int]:
    with subprocess.Popen([path, b"60"]) as process:
        try:
            wait_for_exec(process.pid, path)
            yield process.pid
        finally:
            process.kill()


def wait_for_exec(pid: int, path: bytes) -> None:
    deadline = time.monotonic() + 10
    escaped = path.replace(b"\n", b"\\012")
    while escaped not in Path(f"/proc/{pid}/maps").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def entry_named(pid: int, name: str) -> MapsEntry:
    return next(entry for entry in read_maps(pid) if name in entry.path)


def gone_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_own_executable_mappings() -> None:
    entries = read_maps(os.getpid())
    assert entries == sorted(entries, key=lambda entry: entry.start)
    assert all(entry.executable for entry in entries)
    with Path("/proc/self/maps").open() as file:
        lines = [line for line in file if line.split()[1][2] == "x"]
    assert len(entries) == len(lines)
    libc = entry_named(os.getpid(), "libc.so.6")
    assert libc.inode == Path(libc.path).stat().st_ino
    assert libc.device == Path(libc.path).stat().st_dev
    assert not libc.deleted


def test_all_mappings() -> None:
    entries = read_maps(os.getpid(), executable_only=False)
    assert {entry.executable for entry in entries} == {True, False}
    assert any(entry.path == "[stack]" and not entry.has_object for entry in entries)


def test_opens_what_is_mapped() -> None:
    entry = entry_named(os.getpid(), "libc.so.6")
    file = open_object(os.getpid(), entry)
    assert file.path == entry.path
    assert file.root == f"/proc/{os.getpid()}/root"
    assert os.fstat(file.fd).st_ino == entry.inode
    address = file.image.code_address(entry.offset)
    assert address is not None
    segment = file.image.segment_of_address(address)
    assert segment is not None
    assert segment.executable
    file.close()


def test_what_took_a_mappings_place_is_not_opened_for_it() -> None:
    """The file at the address is not the one that `maps` told of a moment ago."""
    code = {entry.inode: entry for entry in read_maps(os.getpid()) if entry.inode}
    first, second = list(code.values())[:2]
    stale = replace(first, device=second.device, inode=second.inode)
    with pytest.raises(NotOpenedError, match="deleted or replaced"):
        open_object(os.getpid(), stale)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_on_an_overlay_too_where_stat_has_other_numbers(tmp_path: Path) -> None:
    with overlay(tmp_path) as place:
        shutil.copy(SLEEP, place / "program")
        with running(os.fsencode(place / "program")) as pid:
            entry = entry_named(pid, "program")
            for file in (open_object(pid, entry), open_named(pid, entry)):
                assert file.image.build_id
                file.close()
            with pytest.raises(NotOpenedError):
                open_object(pid, replace(entry, inode=entry.inode + 1))


@contextmanager
def overlay(directory: Path) -> Iterator[Path]:
    """An overlay file system over a tmpfs."""
    parts = {name: directory / "layers" / name for name in ("lower", "upper", "work")}
    merged = directory.resolve() / "merged"
    (directory / "layers").mkdir()
    merged.mkdir()
    mount("-t", "tmpfs", "none", directory / "layers")
    try:
        for part in parts.values():
            part.mkdir()
        options = ",".join(f"{name}dir={part}" for name, part in parts.items())
        mount("-t", "overlay", "overlay", "-o", options, merged)
        yield merged
    finally:
        subprocess.run(["umount", "-q", str(merged)])
        subprocess.run(["umount", str(directory / "layers")], check=True)


def mount(*words: object) -> None:
    if subprocess.run(["mount", *map(str, words)], capture_output=True).returncode:
        pytest.skip(f"cannot mount: {words}")


def test_vdso_is_ours_whatever_a_process_made_of_its_own() -> None:
    try:
        targets.build("hostile")
    except targets.MissingCompilerError as error:
        pytest.skip(str(error))
    own = open_object(os.getpid(), entry_named(os.getpid(), "[vdso]"))
    with targets.running("hostile", "vdso") as target:
        entry = entry_named(target.pid, "[vdso]")
        with FileIO(f"/proc/{target.pid}/mem") as memory:
            assert b"Z" * 64 in os.pread(memory.fileno(), 4096, entry.start)
        file = open_object(target.pid, entry)
    assert file.key == own.key
    assert b"Z" * 64 not in os.pread(file.fd, 4096, 0)
    for one in (own, file):
        one.close()


def test_vdso_of_32_bit_programs_is_another() -> None:
    assert not MapsEntry(0xF7FC0000, 0xF7FC2000, 0, 0, 0, "[vdso]", True, False).has_object


def test_of_endless_maps_only_whole_lines_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line could give another file's inode."""
    monkeypatch.setattr(maps, "_MAX_BYTES", 1)
    line = b"7f0000000000-7f0000001000 r-xp 00000000 fe:00 123456 /usr/lib/x.so\n"
    with memory_file(line * 20_000) as file:
        file.seek(0)
        data = maps._read_bounded(file)
    assert len(data) < 20_000 * len(line)
    assert {entry.inode for entry in maps.parse_maps(data, True)} == {123456}


def test_vdso_is_copied_from_memory() -> None:
    entry = entry_named(os.getpid(), "[vdso]")
    file = open_object(os.getpid(), entry)
    assert file.path == "[vdso]"
    assert file.image.section(".dynsym") is not None
    file.close()


@pytest.mark.parametrize("name", [b"plain", b"two words", b"new\nline", b"caf\xe9", b"a (deleted)"])
def test_names(tmp_path: Path, name: bytes) -> None:
    path = os.fsencode(tmp_path.resolve()) + b"/" + name
    Path(os.fsdecode(path)).write_bytes(SLEEP.read_bytes())
    Path(os.fsdecode(path)).chmod(0o755)
    with running(path) as pid:
        entry = next(entry for entry in read_maps(pid) if str(tmp_path) in entry.path)
        file = open_object(pid, entry)
        assert os.fstat(file.fd).st_ino == Path(os.fsdecode(path)).stat().st_ino
        assert file.path.isprintable()
        file.path.encode()
        file.close()
        if name != b"a (deleted)":
            assert os.fsencode(entry.path) == path


def test_deleted_and_replaced_program(tmp_path: Path) -> None:
    path = tmp_path.resolve() / "program"
    shutil.copy(SLEEP, path)
    with running(os.fsencode(path)) as pid:
        inode = path.stat().st_ino
        path.unlink()
        path.write_bytes(b"something else")
        entry = entry_named(pid, str(path))
        assert entry.deleted
        file = open_object(pid, entry)
        assert os.fstat(file.fd).st_ino == inode
        file.close()


def test_by_name_only_the_same_file_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(1, "Operation not permitted", path)

    monkeypatch.setattr(maps, "open_regular", refuse)
    path = tmp_path.resolve() / "program"
    shutil.copy(SLEEP, path)
    with running(os.fsencode(path)) as pid:
        entry = entry_named(pid, str(path))
        file = open_object(pid, entry)
        assert os.fstat(file.fd).st_ino == entry.inode
        file.close()
        shutil.copy(SLEEP, tmp_path / "new")
        (tmp_path / "new").rename(path)
        with pytest.raises(BadFileError, match="deleted or replaced"):
            open_object(pid, entry)


def test_gone_process() -> None:
    pid = gone_pid()
    entry = entry_named(os.getpid(), "libc.so.6")
    with pytest.raises(NoTargetError, match=f"no such process: {pid}"):
        read_maps(pid)
    with pytest.raises(NoTargetError):
        open_object(pid, entry)


def test_anonymous_memory_has_no_object() -> None:
    entry = MapsEntry(0x1000, 0x2000, 0, 0, 0, "", True, False)
    assert not entry.has_object
    with pytest.raises(BadFileError):
        open_object(os.getpid(), entry)


@pytest.mark.parametrize(
    ("link", "is_called"),
    [
        ("tool-run", True),
        ("sleepy", False),
        ("tool", False),
        ("tool-check-all", False),
        ("toolbox-run", False),
    ],
)
def test_a_program_is_called_as_the_link_of_its_family(
    tmp_path: Path, link: str, is_called: bool
) -> None:
    """As redis-server, which is a link to redis-check-rdb; sh stays dash, python3 python3.11."""
    program, started = tmp_path / "tool-check", tmp_path / link
    shutil.copy(SLEEP, program)
    started.symlink_to(program.name)
    with subprocess.Popen([started, "60"]) as process:
        try:
            wait_for_exec(process.pid, os.fsencode(program))
            entry = entry_named(process.pid, "tool-check")
            with closing(open_object(process.pid, entry)) as file:
                assert file.path == str(started if is_called else program)
        finally:
            process.kill()


@pytest.mark.parametrize("name", [b"tool-other", b"../tool-run", b"tool-run/..", b"tool-\xff"])
def test_who_lies_of_its_name_is_called_as_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    program = tmp_path / "tool-check"
    shutil.copy(SLEEP, program)
    shutil.copy(SLEEP, tmp_path / "tool-other")
    monkeypatch.setattr(maps, "comm", lambda pid: os.fsdecode(name))
    with (
        running(os.fsencode(program)) as pid,
        closing(open_object(pid, entry_named(pid, "tool-check"))) as file,
    ):
        assert file.path == str(program)
