"""What commands do with streams that are closed or full, and with words that are not UTF-8."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebprof import cli
from tests import targets
from tests.live.profiled import run

NOT_UTF_8 = os.fsdecode(b"caf\xe9")
FOLDED = "a;b 3\n"
PATIENCE_S = 300


def ebprof(*words: str, redirect: str = "") -> subprocess.CompletedProcess[str]:
    """A command with redirections of the shell, such as `>&-`."""
    script = f'"$@" {redirect}'
    command = ["bash", "-c", script, "bash", sys.executable, "-m", "ebprof", *words]
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S
    )


@pytest.fixture
def saved(tmp_path: Path) -> str:
    path = tmp_path / "saved.folded"
    path.write_text(FOLDED)
    return str(path)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["doctor"],
        ["completion", "bash"],
        ["profile"],
        ["profile", "-e", "help"],
        ["profile", "-o", "/dev/stdout"],
        ["profile", "-o", "/dev/fd/1"],
        ["top", "1", "1"],
        ["traffic", "1", "1"],
    ],
    ids=" ".join,
)
def test_a_closed_stdout_is_said_before_anything_is_recorded(words: list[str]) -> None:
    done = ebprof(*words, redirect=">&-")
    assert done.returncode == 6
    assert done.stderr.startswith("ebprof: cannot write ")
    assert done.stderr.endswith(": it is closed\n")
    assert "samples" not in done.stderr


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["top", "--help"], ["completion", "bash"]], ids=" ".join
)
def test_a_reader_that_goes_away_is_no_error(words: list[str]) -> None:
    command = [sys.executable, "-m", "ebprof", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")


@pytest.mark.parametrize("command", ["report", "diff"])
def test_a_closed_stdout_is_said_by_what_reads_profiles(command: str, saved: str) -> None:
    done = ebprof(command, *[saved] * (1 + (command == "diff")), redirect=">&-")
    assert (done.returncode, done.stderr) == (6, "ebprof: cannot write stdout: it is closed\n")


def test_stdout_may_be_closed_where_nothing_is_written_to_it(saved: str, tmp_path: Path) -> None:
    output = tmp_path / "copy.folded"
    assert ebprof("report", saved, "-o", str(output), redirect=">&-").returncode == 0
    assert output.read_text() == FOLDED


def test_stdout_that_can_only_be_read_is_closed(saved: str) -> None:
    done = ebprof("report", saved, redirect="1</dev/null")
    assert (done.returncode, done.stderr) == (6, "ebprof: cannot write stdout: it is closed\n")


@pytest.mark.parametrize("words", [["--help"], ["completion", "bash"]], ids=" ".join)
def test_a_full_disk_is_said(words: list[str]) -> None:
    done = ebprof(*words, redirect=">/dev/full")
    assert done.returncode == 6
    assert done.stderr == "ebprof: cannot write stdout: no space left on device\n"


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", "2>&- <&-"])
def test_messages_that_nobody_can_read_change_nothing(redirect: str, saved: str) -> None:
    done = ebprof("report", saved, "-f", "folded", redirect=redirect)
    assert (done.returncode, done.stdout, done.stderr) == (0, FOLDED, "")
    assert ebprof("report", "/no/such/file", redirect=redirect).returncode == 6


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["profile", "-e", NOT_UTF_8], 2),
        (["profile", "-e", f"u:{NOT_UTF_8}"], 2),
        (["profile", "-e", f"u:/{NOT_UTF_8}:main"], 6),
        (["profile", "-p", NOT_UTF_8], 2),
        (["profile", "-C", NOT_UTF_8], 2),
        (["profile", "-G", NOT_UTF_8], 3),
        (["profile", "--comm", 4 * NOT_UTF_8], 2),
        (["profile", "-f", NOT_UTF_8], 2),
        (["profile", "-o", f"/{NOT_UTF_8}/x.folded"], 6),
        (["profile", "--stats", f"/{NOT_UTF_8}/x"], 6),
        (["top", "--by", NOT_UTF_8], 2),
        (["top", "-s", NOT_UTF_8], 2),
        (["traffic", "--from", NOT_UTF_8], 2),
        (["traffic", "--port", NOT_UTF_8], 2),
        (["traffic", "--by", NOT_UTF_8], 2),
        (["traffic", "--backend", NOT_UTF_8], 2),
        (["traffic", "-G", NOT_UTF_8], 3),
        (["report", NOT_UTF_8], 6),
        (["diff", NOT_UTF_8, NOT_UTF_8], 6),
        (["flame", NOT_UTF_8], 6),
        ([NOT_UTF_8], 2),
    ],
)
def test_words_that_are_not_utf_8_are_refused_like_others(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    _, said = capsys.readouterr()
    assert ended.value.code == code, said
    assert said.startswith("ebprof: ") and said.count("\n") == 1


def test_a_word_that_is_not_utf_8_comes_from_a_shell() -> None:
    done = ebprof("profile", "--", f"/{NOT_UTF_8}")
    assert done.returncode == 127
    assert done.stderr.startswith("ebprof: ") and done.stderr.count("\n") == 1


def test_a_function_that_is_not_utf_8_is_looked_for(tmp_path: Path) -> None:
    program = targets.build("headless")
    done = ebprof("profile", "-e", f"u:{program}:{NOT_UTF_8}")
    assert (done.returncode, f"no function 'caf�' in {program}" in done.stderr) == (3, True)


def test_files_whose_names_are_not_utf_8(saved: str, tmp_path: Path) -> None:
    for name in ("x.folded", "x.json", "x.pb.gz", "x.html", "x.svg"):
        path = tmp_path / f"{NOT_UTF_8}{name}"
        assert run("report", saved, "-o", path).returncode == 0
        assert path.stat().st_size > 0
    folded = str(tmp_path / f"{NOT_UTF_8}x.folded")
    for form in ("table", "json", "folded"):
        done = run("diff", folded, folded, "-f", form)
        assert (done.returncode, done.stderr) == (0, "")
    done = ebprof("flame", folded, "-o", str(tmp_path / f"{NOT_UTF_8}.html"))
    assert done.returncode == 0 and done.stderr.startswith("ebprof: wrote ")
