"""Words and files that make no sense: one line that says what to do, and a documented code."""

from __future__ import annotations

import gzip
import io
import random
from pathlib import Path

import pytest

from ebprof import cli, plugins
from ebprof.commands._values import parse_duration, parse_numbers
from ebprof.errors import EXIT_BAD_FILE, EXIT_FAILURE, EXIT_NO_TARGET, EXIT_USAGE, UsageError
from ebprof.output import pprof, write_file
from tests import builders

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *words: object) -> tuple[int, str]:
    """Exit code and stderr of `ebprof WORDS...`; nothing may come out on stdout."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert out == ""
    return int(ended.value.code or 0), err


def fail(capsys: Capture, *words: object) -> tuple[int, str]:
    """Exit code of a command line that fails with one line, and that line."""
    code, err = run(capsys, *words)
    assert err.startswith("ebprof: ") and err.count("\n") == 1, err
    return code, err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("nonesuch", "no such command 'nonesuch': see `ebprof --help`"),
        ("profile --nonesuch", "no such option"),
        ("profile 1234", "unexpected extra argument (1234): name processes like -p 12,34"),
        ("profile -p 12 13 14", "unexpected extra argument (13 14): name processes like -p 12,34"),
        ("profile sleep 1", "a command comes after --, like -- sleep 1"),
        ("profile -e off-cpu", "`-e sched:sched_switch` counts where tasks leave the CPU"),
        ("profile -e cycles,instructions", "one event a run"),
        ("profile -e cpu-clock:u", "`-e cpu-clock -U` has user stacks alone"),
        ("profile -e malloc", "`-e u:malloc -p PID`"),
        ("profile --call-graph dwarf,big", "'dwarf,big' is not one of"),
        ("profile -F most", "'most' is not a valid"),
        ("record -g", "no such command 'record': `perf record` is `ebprof profile` here"),
        ("profile ls -- ls", "unexpected extra argument (ls)"),
        ("profile --", "no command after --"),
        ("profile -F 0", "0 is not in the range"),
        ("profile -F many", "'many' is not a valid"),
        ("profile -F 100000000", "above this kernel's limit"),
        ("profile -d 0", "cannot read duration '0'"),
        ("profile -d -5", "cannot read duration '-5'"),
        ("profile -d 5d", "cannot read duration '5d'"),
        ("profile --slice 1s", "--slice needs a format that keeps times: add -o x.pb.gz"),
        ("profile --slice 1s -o x.folded", "--slice needs a format that keeps times"),
        ("profile --slice 1s -f svg -o x.pb.gz", "--slice needs a format that keeps times"),
        ("profile --slice 0 -f pprof", "cannot read slice '0'"),
        ("profile --slice 5ms -f pprof", "a slice of 5ms is too short or too long: from 10ms"),
        ("profile --slice 25h -f pprof", "a slice of 25h is too short or too long"),
        ("profile --slice 999999999h -f pprof", "too short or too long"),
        ("top --slice 1s", "no such option"),
        ("flame --slice 1s", "no such option"),
        ("profile -C zero", "cannot read CPU list 'zero'"),
        ("profile -C 0-", "cannot read CPU list '0-'"),
        ("profile -C 3-1", "'3-1'"),
        ("profile -C 0-9999999999", "cannot read CPU list"),
        ("profile -f nonesuch", "unknown format: nonesuch"),
        ("profile --folded -f pprof", "--folded and -f pprof exclude each other"),
        ("profile -e nonesuch", "unknown event 'nonesuch'"),
        ("profile -p abc", "cannot read PID 'abc'"),
        ("profile -p 0", "cannot read PID '0'"),
        ("profile -p -1", "cannot read PID '-1'"),
        ("profile -p 1,", "cannot read PID '1,'"),
        ("profile -p 1_0", "cannot read PID '1_0'"),
        ("profile -t 1.5", "cannot read TID '1.5'"),
        ("profile -p 1 -t 1", "-p and -t exclude each other"),
        ("profile -p 1 -- ls", "-p and -- COMMAND exclude each other"),
        ("profile -G x -- ls", "-G and -- COMMAND exclude each other"),
        ("profile -G x --container x", "-G and --container exclude each other"),
        ("profile --container x -- ls", "--container and -- COMMAND exclude each other"),
        ("profile -p 1 --container x", "-p and --container exclude each other"),
        ("profile -a -p 1", "-a and a process exclude each other"),
        ("profile -U -K", "-U and -K exclude each other"),
        ("profile --call-graph guess", "'guess' is not one of"),
        ("profile --comm abcdefghijklmnop", "longer than the 15 bytes"),
        ("profile --stats -", "--stats needs a file"),
        ("profile --stats x -o x", "--stats and -o name the same file"),
        ("flame a b", "unexpected extra argument (b)"),
        ("flame -p 1 saved.folded", "a saved profile and a target exclude each other"),
        ("report", "missing argument 'FILE'"),
        ("report a b", "unexpected extra argument (b)"),
        ("report -f nonesuch x", "unknown format: nonesuch"),
        ("doctor now", "unexpected extra argument (now)"),
    ],
)
def test_usage(words: str, says: str, capsys: Capture) -> None:
    code, line = fail(capsys, *words.split())
    assert code == EXIT_USAGE
    assert says in line


@pytest.mark.parametrize("option", ["-p", "-t", "-C", "-G", "--comm", "-d", "-e", "-f", "--slice"])
def test_an_empty_value_is_not_the_same_as_none(option: str, capsys: Capture) -> None:
    assert fail(capsys, "profile", option, "")[0] == EXIT_USAGE


def test_without_a_command_the_help_is_shown(capsys: Capture) -> None:
    code, err = run(capsys)
    assert code == EXIT_USAGE
    assert "doctor" in err and "profile" in err


@pytest.mark.parametrize("text", ["10", "10s", "0.5", "500ms", "2m", "1h", " 3 "])
def test_durations(text: str) -> None:
    seconds = {"10": 10, "10s": 10, "0.5": 0.5, "500ms": 0.5, "2m": 120, "1h": 3600, " 3 ": 3}
    assert parse_duration(text) == seconds[text]


@pytest.mark.parametrize("text", ["", "0", "0ms", "-1", "1e3", "nan", "inf", "\u0663", "9" * 400])
def test_bad_durations(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration(text)


def test_numbers_may_be_listed_and_repeated() -> None:
    assert parse_numbers(["1,2", "3", "2"], "PID") == (1, 2, 3)
    for text in ("", "1,,2", "01", "+1", " 1", "\u0661"):
        with pytest.raises(UsageError):
            parse_numbers([text], "PID")


@pytest.mark.parametrize("command", [["profile"], ["flame"]])
@pytest.mark.parametrize("option", ["-o", "--stats"])
def test_what_cannot_be_written_is_found_before_recording(
    command: list[str], option: str, tmp_path: Path, capsys: Capture
) -> None:
    for place in (tmp_path / "missing" / "x", tmp_path):
        code, line = fail(capsys, *command, "-p", 2**22, option, place)
        assert code == EXIT_BAD_FILE
        assert str(place) in line
    assert not list(tmp_path.iterdir())


def test_a_process_that_is_not_there_leaves_no_file(tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "x.folded"
    assert fail(capsys, "profile", "-p", 2**22, "-o", output)[0] == EXIT_NO_TARGET
    assert not list(tmp_path.iterdir())


@pytest.fixture
def packed() -> bytes:
    """A pprof file."""
    file = io.BytesIO()
    pprof.write(builders.example(), file)
    return file.getvalue()


@pytest.mark.parametrize("command", [["report", "-f", "json"], ["flame", "-o", "/dev/null"]])
@pytest.mark.parametrize(
    "data",
    [
        b"main;f twelve\n",
        b"main;f\n",
        b"\x1f\x8b",
        b"\x1f\x8b\x08\x00garbage",
        b"\x00" * 100,
        random.Random(4).randbytes(4096),
        gzip.compress(random.Random(5).randbytes(4096), mtime=0),
        gzip.compress(b"", mtime=0),
        b"<html>",
        b'{"format": "ebprof profile"}',
    ],
)
def test_files_that_are_no_profiles(
    command: list[str], data: bytes, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "saved"
    file.write_bytes(data)
    code, line = fail(capsys, *command, file)
    assert code == EXIT_BAD_FILE
    assert str(file) in line


def test_a_truncated_profile_is_refused_wherever_it_ends(
    packed: bytes, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "cpu.pb.gz"
    for size in range(1, len(packed), 37):
        file.write_bytes(packed[:size])
        assert fail(capsys, "report", file)[0] == EXIT_BAD_FILE


@pytest.mark.parametrize("command", ["report", "flame"])
def test_files_that_cannot_be_read(command: str, tmp_path: Path, capsys: Capture) -> None:
    for file in (tmp_path / "missing", tmp_path):
        code, line = fail(capsys, command, "-o", tmp_path / "x.html", file)
        assert code == EXIT_BAD_FILE
        assert line.startswith(f"ebprof: cannot read {file}: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["report", "flame"])
def test_windows_that_there_are_not(command: str, tmp_path: Path, capsys: Capture) -> None:
    saved, stacks, output = tmp_path / "x.pb.gz", tmp_path / "x.folded", tmp_path / "x.html"
    write_file(
        builders.profile(builders.stack("main", time_ns=0), slice_ns=10**9), pprof, str(saved)
    )
    stacks.write_text("demo;main 1\n")
    for name, says in (
        (f"{saved}@0s", "cannot read window '0s' of"),
        (f"{saved}@2s-1s", "the window 2s-1s ends before it begins"),
        (f"{saved}@5s-9s", "has no samples in 5s-9s: it goes from 0s to 1.0s in slices of 1s"),
        (f"{stacks}@0s-1s", "does not say when its samples were taken: record with --slice"),
    ):
        code, line = fail(capsys, command, "-o", output, name)
        assert code == EXIT_USAGE
        assert says in line
    assert not output.exists()


def test_a_report_that_fails_leaves_the_old_file(tmp_path: Path, capsys: Capture) -> None:
    output, file = tmp_path / "x.html", tmp_path / "saved"
    output.write_text("old")
    file.write_text("main;f twelve\n")
    assert fail(capsys, "report", "-o", output, file)[0] == EXIT_BAD_FILE
    assert output.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"x.html", "saved"}


def test_a_module_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def load(*_: object) -> None:
        raise ImportError("libbpf.so.1: cannot open shared object file")

    monkeypatch.setattr(plugins, "load", load)
    code, line = fail(capsys, "doctor")
    assert code == EXIT_FAILURE
    assert "libbpf.so.1" in line and "reinstall" in line


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionError(13, "Permission denied", "/root/x"), EXIT_BAD_FILE),
        (OSError(12, "Cannot allocate memory"), EXIT_FAILURE),
        (KeyboardInterrupt(), cli.EXIT_INTERRUPTED),
    ],
)
def test_what_no_room_expected(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def load(*_: object) -> None:
        raise error

    monkeypatch.setattr(plugins, "load", load)
    assert run(capsys, "doctor")[0] == code
