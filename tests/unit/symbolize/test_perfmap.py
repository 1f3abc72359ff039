"""Perf maps of processes, honest and hostile."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebprof.procfs import process
from ebprof.symbolize import Symbolizer, perfmap, runtimes
from ebprof.symbolize.budget import Budget
from ebprof.symbolize.perfmap import PerfMap
from tests import slow

OTHER_USER = 65534


@pytest.fixture
def target() -> Iterator[subprocess.Popen[bytes]]:
    """A process whose perf map the tests write."""
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()
    remove(map_path(child.pid))


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def map_path(pid: int) -> Path:
    return Path(f"/tmp/perf-{pid}.map")


def write_map(pid: int, text: bytes) -> None:
    map_path(pid).write_bytes(text)


def read_map(pid: int) -> PerfMap:
    found = PerfMap(pid)
    found.refresh()
    return found


def name_at(perf_map: PerfMap, address: int) -> str:
    calls = perf_map.find(address)
    return calls[0].name if calls else ""


def test_lookups(target: subprocess.Popen[bytes]) -> None:
    write_map(target.pid, b"1000 10 first\n0x2000 0x20 LazyCompile:~run /app/x.js:1:2\n")
    perf_map = read_map(target.pid)
    assert name_at(perf_map, 0xFFF) == ""
    assert name_at(perf_map, 0x100F) == "first"
    assert name_at(perf_map, 0x1010) == ""
    assert name_at(perf_map, 0x201F) == "LazyCompile:~run /app/x.js:1:2"
    perf_map.close()


def test_grows_and_the_latest_name_counts(target: subprocess.Popen[bytes]) -> None:
    write_map(target.pid, b"1000 100 old\n2000 10 half a li")
    perf_map = read_map(target.pid)
    assert (name_at(perf_map, 0x1050), name_at(perf_map, 0x2000)) == ("old", "")
    with map_path(target.pid).open("ab") as file:
        file.write(b"ne\n1040 20 new\n")
    perf_map.refresh()
    assert name_at(perf_map, 0x1050) == "new"
    assert name_at(perf_map, 0x1070) == "old"
    assert name_at(perf_map, 0x2000) == "half a line"
    write_map(target.pid, b"1000 100 rewritten\n")
    perf_map.refresh()
    assert name_at(perf_map, 0x1050) == "rewritten"
    assert perf_map.malformed == 0
    perf_map.close()


def rewrite(path: Path, text: bytes) -> None:
    path.write_bytes(text)


def replace(path: Path, text: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(text)
    new.rename(path)


def move_away(path: Path, text: bytes) -> None:
    old = path.with_suffix(".old")
    path.rename(old)
    path.write_bytes(text)
    old.unlink()


@pytest.mark.parametrize("write", [rewrite, replace, move_away])
@pytest.mark.parametrize("more", [b"", b"8000 10 more_than_there_was\n" * 10])
def test_a_map_that_is_written_anew(
    target: subprocess.Popen[bytes], write: Callable[[Path, bytes], None], more: bytes
) -> None:
    """As long as before or longer, so that its size does not tell."""
    write_map(target.pid, b"1000 10 first\n2000 10 kept\n5000 10 freed\n")
    perf_map = read_map(target.pid)
    write(map_path(target.pid), b"1000 10 other\n2000 10 kept\n3000 10 fresh\n" + more)
    perf_map.refresh()
    names = [name_at(perf_map, address) for address in (0x1000, 0x2000, 0x3000, 0x5000)]
    assert names == ["other", "kept", "fresh", "freed"]
    for number in range(5):
        write(map_path(target.pid), b"1000 10 last\n" + b"# %d\n" % number)
        perf_map.refresh()
    assert name_at(perf_map, 0x1000) == "last"
    assert len(perf_map._entries) == 2  # of the map in force and of the one before
    perf_map.close()


def test_readable_after_the_process_is_gone(target: subprocess.Popen[bytes]) -> None:
    write_map(target.pid, b"1000 100 early\n")
    symbolizer = Symbolizer(cache=None)
    symbolizer.watch_jit(target.pid)
    with map_path(target.pid).open("ab") as file:
        file.write(b"2000 100 _ZN2ns4lateEv\n")
    target.kill()
    target.wait()
    map_path(target.pid).unlink()
    found = symbolizer.jit_locations(target.pid, [0x1000, 0x2010, 0x9000])
    symbolizer.close()
    functions = {address: location.frames[0].function for address, location in found.items()}
    assert functions == {0x1000: "early", 0x2010: "ns::late()", 0x9000: "[anon]+0x9000"}
    mapping = found[0x1000].mapping
    assert mapping is not None
    assert mapping.path == str(map_path(target.pid))


def test_hostile_lines_are_counted(target: subprocess.Popen[bytes]) -> None:
    lines = [
        b"1000 10 good\n",
        b"no numbers here\n",
        b"-1000 10 negative\n",
        b"1000 0 empty\n",
        b"ffffffffffffffff 10 beyond\n",
        b"1000 10\n",
        b"1000 10  \n",
        b"2000 10 " + b"x" * 20_000 + b"\n",
        b"3000 10 evil\x1b[2Jname\xff\n",
        b"\xff\xfe\n",
        b"\n",
        b"4000\t10\tby tabs\n",
        b"5000  10  by blanks\n",
    ]
    write_map(target.pid, b"".join(lines))
    perf_map = read_map(target.pid)
    assert perf_map.malformed == 8
    assert name_at(perf_map, 0x1000) == "good"
    assert (name_at(perf_map, 0x4000), name_at(perf_map, 0x5000)) == ("by tabs", "by blanks")
    assert name_at(perf_map, 0x3000) == "evil\ufffd[2Jname\ufffd"
    assert perf_map.warnings == [f"{map_path(target.pid)}: 8 malformed lines"]
    perf_map.close()


@settings(max_examples=slow.examples(100))
@given(st.binary(max_size=300))
def test_garbage(data: bytes) -> None:
    perf_map = PerfMap(os.getpid())
    perf_map._add(data)
    assert perf_map.find(0x1000) == () or data


def test_size_is_bounded(target: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perfmap, "MAX_BYTES", 1000)
    write_map(target.pid, b"1000 10 first\n" + b"2000 10 filler\n" * 100 + b"3000 10 last\n")
    perf_map = read_map(target.pid)
    assert name_at(perf_map, 0x1000) == "first"
    assert name_at(perf_map, 0x3000) == ""
    assert "too large" in perf_map.warnings[0]
    perf_map.close()


def test_endless_line_is_bounded(target: subprocess.Popen[bytes]) -> None:
    write_map(target.pid, b"1000 10 " + b"x" * 1_000_000)
    perf_map = read_map(target.pid)
    with map_path(target.pid).open("ab") as file:
        file.write(b"\n2000 10 next\n")
    perf_map.refresh()
    assert name_at(perf_map, 0x2000) == "next"
    assert name_at(perf_map, 0x1000) == ""
    perf_map.close()


def refusal(pid: int) -> str:
    perf_map = read_map(pid)
    assert perf_map.find(0x1000) == ()
    perf_map.close()
    (warning,) = perf_map.warnings
    return warning


def test_fifo_is_refused_at_once(target: subprocess.Popen[bytes]) -> None:
    os.mkfifo(map_path(target.pid))
    assert "not a regular file" in refusal(target.pid)


def test_directory_is_refused(target: subprocess.Popen[bytes]) -> None:
    map_path(target.pid).mkdir()
    assert "not a regular file" in refusal(target.pid)


def test_link_is_not_followed(target: subprocess.Popen[bytes], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"1000 10 secret\n")
    map_path(target.pid).symlink_to(secret)
    assert "was not read" in refusal(target.pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_file_of_another_user_is_refused(target: subprocess.Popen[bytes]) -> None:
    write_map(target.pid, b"1000 10 planted\n")
    os.chown(map_path(target.pid), OTHER_USER, OTHER_USER)
    assert f"belongs to user {OTHER_USER}" in refusal(target.pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
@pytest.mark.parametrize("hostile", [False, True], ids=["directory", "link out"])
def test_processs_own_tmp(tmp_path: Path, hostile: bool) -> None:
    """In another root, `/tmp` is that root's; a link in its place does not lead out of it."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "tmp").mkdir(parents=True)
    outside.mkdir()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.chroot(root)
        os.write(write, b"1")
        os.read(read, 0)
        while True:
            os.kill(os.getpid(), 19)
    try:
        os.read(read, 1)
        if hostile:
            (root / "tmp").rmdir()
            (root / "tmp").symlink_to(outside)
        place = outside if hostile else root / "tmp"
        (place / f"perf-{pid}.map").write_bytes(b"1000 10 inside\n")
        perf_map = read_map(pid)
        assert name_at(perf_map, 0x1000) == ("" if hostile else "inside")
        perf_map.close()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root's files and another user's process")
@pytest.mark.parametrize(("mode", "name"), [(0o600, ""), (0o644, "shared")])
def test_of_roots_files_only_those_that_everybody_may_read(mode: int, name: str) -> None:
    """Where a process can mount, it can put root's files in its map's place."""
    command = ["setpriv", "--reuid=65534", "--clear-groups", "sleep", "60"]
    with subprocess.Popen(command) as child:
        try:
            wait_for_user(child.pid, OTHER_USER)
            write_map(child.pid, b"1000 10 shared\n")
            map_path(child.pid).chmod(mode)
            perf_map = read_map(child.pid)
            assert name_at(perf_map, 0x1000) == name
            assert bool(perf_map.warnings) == (not name)
            perf_map.close()
        finally:
            child.kill()
            remove(map_path(child.pid))


def wait_for_user(pid: int, user: int) -> None:
    deadline = time.monotonic() + 10
    while process.user_ids(pid) != {user}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_lease_does_not_hold_us_up(target: subprocess.Popen[bytes]) -> None:
    """Opening a file that another process leases waits up to 45 s."""
    write_map(target.pid, b"1000 10 leased\n")
    with map_path(target.pid).open("r+b") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        assert "was not read" in refusal(target.pid)


def test_all_maps_together_are_bounded(target: subprocess.Popen[bytes]) -> None:
    write_map(target.pid, b"1000 10 first\n")
    budget = Budget(1, "too much")
    first, second = PerfMap(target.pid, budget), PerfMap(target.pid, budget)
    for perf_map in (first, second):
        perf_map.refresh()
    assert (name_at(first, 0x1000), name_at(second, 0x1000)) == ("first", "")
    assert list(budget.warnings) == ["too much (1 left out)"]
    first.close()
    second.close()


def test_missing_map_is_no_warning(target: subprocess.Popen[bytes]) -> None:
    perf_map = read_map(target.pid)
    assert perf_map.find(0x1000) == ()
    assert perf_map.warnings == []
    perf_map.close()


def test_number_used_again_starts_afresh(
    target: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_map(target.pid, b"1000 10 first_process\n")
    symbolizer = Symbolizer(cache=None)
    symbolizer.watch_jit(target.pid)
    write_map(target.pid, b"1000 10 second_process\n9000 10 other\n")
    monkeypatch.setattr(runtimes.Runtimes, "_start_time", lambda self, pid: 1)
    (location,) = symbolizer.jit_locations(target.pid, [0x1000]).values()
    symbolizer.close()
    assert location.frames[0].function == "second_process"
