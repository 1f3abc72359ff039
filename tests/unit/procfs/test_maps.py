"""Mappings of real processes: our own, deleted and replaced programs, odd names."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ebprof.errors import BadFileError, NoTargetError
from ebprof.procfs import maps
from ebprof.procfs.maps import MapsEntry, open_object, read_maps

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
