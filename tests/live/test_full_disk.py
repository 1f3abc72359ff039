"""Where there is no room for what is written, the path and the reason are said, and it is rc 6."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ebprof.output import read_profile

NO_ROOM = "no space left on device"
TIME_LIMIT = 120
FULL = ["unshare", "--mount", "sh", "-c"]
BUSY = ["--", "sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]
"""A command of which there are samples."""
# A file system of one page, which another file fills.
FILL = 'mount -t tmpfs -o size=4k full "$1" && head -c 4096 /dev/zero >"$1/rest"; shift; exec "$@"'


@pytest.fixture
def folded(tmp_path: Path) -> str:
    path = tmp_path / "some.folded"
    path.write_text("main;f 3\nmain;g 4\n")
    return str(path)


def run(
    words: Sequence[str],
    stdout: str = "/dev/full",
    within: Sequence[str] = (),
    temporary: str = "/nonexistent",
) -> tuple[int, str]:
    """The exit code, and the last line that ebprof says; temporary: its TMPDIR."""
    with Path(stdout).open("wb") as file:
        done = subprocess.run(
            [*within, sys.executable, "-m", "ebprof", *words],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIME_LIMIT,
            env=os.environ | {"TMPDIR": temporary},
        )
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["completion", "bash"],
        ["doctor", "--json"],
        ["top", "--json", "-p", str(os.getpid()), "0.2", "2"],
        ["traffic", "0.2", "2"],
    ],
    ids=lambda words: words[0],
)
def test_stdout(words: list[str]) -> None:
    assert run(words) == (6, f"ebprof: cannot write stdout: {NO_ROOM}")


@pytest.mark.parametrize("form", ["folded", "pprof", "table", "flamegraph"])
def test_stdout_of_saved_profiles(form: str, folded: str) -> None:
    assert run(["report", folded, "-f", form]) == (6, f"ebprof: cannot write stdout: {NO_ROOM}")
    if form != "pprof":
        words = ["diff", folded, folded, "-f", form]
        assert run(words) == (6, f"ebprof: cannot write stdout: {NO_ROOM}")


@pytest.mark.parametrize(
    "words",
    [
        ["profile", "--stats", "PATH", *BUSY],
        ["traffic", "-d", "0.3", "--stats", "PATH"],
        ["report", "FOLDED", "-o", "PATH"],
        ["diff", "FOLDED", "FOLDED", "-o", "PATH"],
    ],
    ids=lambda words: words[0],
)
def test_files(words: list[str], folded: str, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    path = f"{full}/new"
    within = [*FULL, FILL, "sh", str(full)]
    given = {"FOLDED": folded, "PATH": path}
    options = [given.get(word, word) for word in words]
    code, line = run(options, stdout="/dev/null", within=within)
    assert (code, line) == (6, f"ebprof: cannot write {path}: {NO_ROOM}")


def check_kept(code: int, line: str, refused: str, place: str) -> None:
    """The profile is in a file at the place, which its owner alone reads, and can be shown."""
    start = f"ebprof: cannot write {refused}: {NO_ROOM}: the profile was written to {place}/"
    assert (code, line[: len(start)]) == (6, start)
    kept = Path(line.rpartition(" ")[2])
    try:
        assert kept.stat().st_mode & 0o777 == 0o600
        assert read_profile(str(kept)).total > 0
    finally:
        kept.unlink()


@pytest.mark.parametrize("form", ["folded", "pprof"])
def test_a_profile_for_stdout_is_kept(form: str, tmp_path: Path) -> None:
    code, line = run(["profile", "-f", form, *BUSY], temporary=str(tmp_path))
    check_kept(code, line, "stdout", str(tmp_path))


@pytest.mark.parametrize("is_temporary", [True, False])
def test_a_profile_for_a_file_is_kept(is_temporary: bool, tmp_path: Path) -> None:
    """$TMPDIR may be as full: then it is in memory."""
    full, temporary = tmp_path / "full", tmp_path / "temporary"
    full.mkdir()
    temporary.mkdir()
    path = f"{full}/new.pb.gz"
    code, line = run(
        ["profile", "-o", path, *BUSY],
        stdout="/dev/null",
        within=[*FULL, FILL, "sh", str(full)],
        temporary=str(temporary if is_temporary else full),
    )
    check_kept(code, line, path, str(temporary) if is_temporary else "/dev/shm")
    assert list(temporary.iterdir()) == []
