from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import pytest

from ebprof import output
from ebprof.errors import BadFileError
from ebprof.model import Profile
from ebprof.output import folded, pprof
from tests.builders import profile, stack
from tests.unit.output.written import written

DEMO = profile(stack("main;f", 3))
TEXT = b"demo;main;f 3\n"


def failing(error: BaseException) -> ModuleType:
    """A format that writes half and fails."""

    def write(_: Profile, file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    module = ModuleType("failing")
    module.write = write  # type: ignore[attr-defined]
    return module


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_umask_s_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        output.write_file(DEMO, folded, str(tmp_path / "new"))
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == TEXT
    assert mode(tmp_path / "new") == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_an_old_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(0o604)
    held = path.open("rb")
    output.write_file(DEMO, folded, str(path))
    assert path.read_bytes() == TEXT
    assert mode(path) == 0o604
    assert held.read() == b"old"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_an_old_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.touch()
    os.chown(path, 1234, 5678)
    output.write_file(DEMO, folded, str(path))
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")
    with pytest.raises((BadFileError, KeyboardInterrupt)):
        output.write_file(DEMO, failing(error), str(path))
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["old"]


def test_a_failure_says_which_file_and_why(tmp_path: Path) -> None:
    with pytest.raises(BadFileError) as caught:
        output.write_file(DEMO, failing(OSError(28, "No space left on device")), f"{tmp_path}/x")
    assert caught.value.message == f"cannot write {tmp_path}/x: no space left on device"


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    output.write_file(DEMO, folded, str(link))
    assert link.is_symlink()
    assert target.read_bytes() == TEXT


def test_a_fifo_is_written_into(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
    reader.start()
    output.write_file(DEMO, folded, str(path))
    reader.join(10)
    assert got == [TEXT]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_devices_stay_devices() -> None:
    output.write_file(DEMO, folded, "/dev/null")
    assert stat.S_ISCHR(os.lstat("/dev/null").st_mode)


def test_stdout_is_appended_to(tmp_path: Path) -> None:
    """Whatever its name, by one process that writes to all of them."""
    paths = ("-", None, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
    code = (
        "from ebprof import output; from ebprof.output import folded;"
        "from tests.unit.output.test_files import DEMO;"
        f"[output.write_file(DEMO, folded, path) for path in {paths!r}]"
    )
    shared = tmp_path / "shared"
    with shared.open("wb") as file:
        file.write(b"before\n")
        file.flush()
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
        file.seek(0, os.SEEK_END)
        file.write(b"after\n")
    assert shared.read_bytes() == b"before\n" + len(paths) * TEXT + b"after\n"


def test_a_reader_that_has_gone_is_a_broken_pipe() -> None:
    outer, inner = os.pipe()
    os.close(outer)
    with pytest.raises(BrokenPipeError):
        output.write_file(DEMO, folded, f"/dev/fd/{inner}")
    os.close(inner)


# ---- before recording -----------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, "-", "/dev/stdout", "/dev/null"])
def test_what_is_open_is_writable(path: str | None) -> None:
    output.check_writable(path)


def test_check_changes_nothing(tmp_path: Path) -> None:
    output.check_writable(str(tmp_path / "new"))
    assert not list(tmp_path.iterdir())


def test_check_refuses(tmp_path: Path) -> None:
    for path, why in (
        (str(tmp_path), "it is a directory"),
        (f"{tmp_path}/no/such", f"there is no directory {tmp_path}/no"),
        ("/proc/1/new", "/proc/1 is not writable"),
    ):
        with pytest.raises(BadFileError) as caught:
            output.check_writable(path)
        assert caught.value.message == f"cannot write {path}: {why}"


# ---- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", [folded, pprof])
def test_read_by_content(tmp_path: Path, format: ModuleType) -> None:
    path = tmp_path / "misleading.txt"
    path.write_bytes(written(format, DEMO))
    (sample,) = output.read_profile(str(path)).samples
    assert [one.frames[0].function for one in sample.locations] == ["f", "main"]


def test_read_uncompressed_pprof(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "profile"
    path.write_bytes(gzip.decompress(written(pprof, DEMO)))
    assert output.read_profile(str(path)) == DEMO


def test_read_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT)))
    assert output.read_profile("-").total == 3


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PERFILE2\x00\x00", "not a profile"),
        (b"\x1f\x8bnot gzip", "cannot unpack gzip data: Unknown compression method"),
        (b"hello world\n", "line 1 is no folded stack: it does not end in a count"),
    ],
)
def test_read_says_which_file_and_why(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(BadFileError) as caught:
        output.read_profile(str(path))
    assert caught.value.message == f"{path}: {why}"
    assert "pprof" in caught.value.hint


def test_read_of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="no such file or directory"):
        output.read_profile(str(tmp_path / "none"))
