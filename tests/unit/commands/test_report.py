"""`report`, and what `flame` and `diff` do alike with saved profiles."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from ebprof import cli
from ebprof.errors import EXIT_BAD_FILE, EXIT_USAGE
from ebprof.output import pprof, write_file
from tests.builders import profile
from tests.unit.commands.test_bad_input import fail
from tests.unit.output.built import heap, wall

Capture = pytest.CaptureFixture[str]

TEXT = b"demo;main;f 3\ndemo;main;g 5\n"


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to be in, with profiles of several kinds."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heap").write_bytes(heap().bytes())
    (tmp_path / "wall").write_bytes(wall().strings_first())
    (tmp_path / "text").write_bytes(TEXT)
    (tmp_path / "text.gz").write_bytes(gzip.compress(TEXT))
    (tmp_path / "damaged").write_bytes(TEXT + b"main;\x1b[31mh\nmain;i 1e-10\n")
    (tmp_path / "python").write_bytes(b"main (a.py:3);f (a.py:9) 12\nidle 30\n")
    (tmp_path / "two").write_bytes(b"main;f 3 5\nmain;g 7 1\n")
    write_file(profile(), pprof, "nothing.pb.gz")
    (tmp_path / "empty").touch()
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b""))
    return tmp_path


def run(capsys: Capture, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    return int(ended.value.code or 0), *capsys.readouterr()


def test_the_default_type_is_reported(saved: Path, capsys: Capture) -> None:
    assert run(capsys, "report", "heap") == (0, "server;main;hold 1536\n", "")
    assert run(capsys, "report", "wall") == (0, "main;read 1500000000\nmain;write 700\n", "")


def test_another_type_is_reported(saved: Path, capsys: Capture) -> None:
    code, out, err = run(capsys, "report", "heap", "--sample-type", "alloc_objects")
    assert (code, out, err) == (0, "server;main;drop 100\nserver;main;hold 8\n", "")


@pytest.mark.parametrize("words", ["report heap", "flame heap -o x.html", "diff heap heap"])
def test_a_type_that_there_is_not(words: str, saved: Path, capsys: Capture) -> None:
    code, line = fail(capsys, *words.split(), "--sample-type", "nonesuch")
    assert code == EXIT_USAGE
    assert "there are alloc_objects (count), alloc_space (bytes), inuse_objects (count)" in line


def test_a_flame_graph_of_another_type(saved: Path, capsys: Capture) -> None:
    assert run(capsys, "flame", "heap", "-q", "-o", "x.svg", "--sample-type", "alloc_space")[0] == 0
    assert "alloc_space flame graph" in Path("x.svg").read_text()
    assert "drop (1MB, 99.61%)" in Path("x.svg").read_text()


def test_a_comparison_of_another_type(saved: Path, capsys: Capture) -> None:
    words = ("diff", "heap", "heap", "--sample-type", "alloc_objects", "--absolute")
    assert run(capsys, *words)[1] == "server;main;drop 100 100\nserver;main;hold 8 8\n"
    document = json.loads(run(capsys, *words, "-f", "json")[1])
    assert (document["event"], document["unit"]) == ("alloc_objects", "count")


def test_types_are_for_saved_profiles(capsys: Capture) -> None:
    for words in ("--sample-type cpu", "--no-comm", "--strict"):
        code, line = fail(capsys, "flame", *words.split())
        assert code == EXIT_USAGE and "for saved profiles: name a file" in line


@pytest.mark.parametrize("words", ["report text.gz", "report text"])
def test_packed_stacks_are_reported(words: str, saved: Path, capsys: Capture) -> None:
    assert run(capsys, *words.split()) == (0, TEXT.decode(), "")


def test_packed_stacks_come_from_stdin(
    saved: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT))))
    assert run(capsys, "report", "-") == (0, TEXT.decode(), "")


def test_packed_stacks_are_compared(saved: Path, capsys: Capture) -> None:
    expected = "demo;main;f 3 3\ndemo;main;g 5 5\n"
    assert run(capsys, "diff", "text", "text.gz") == (0, expected, "")


@pytest.mark.parametrize("words", ["report {}", "flame {} -o x.html", "flame {} -o x.svg"])
@pytest.mark.parametrize("name", ["empty", "empty.gz", "nothing.pb.gz"])
def test_no_samples_is_an_error(words: str, name: str, saved: Path, capsys: Capture) -> None:
    code, line = fail(capsys, *words.format(name).split())
    assert (code, line.partition(": ")[2].startswith(f"{name} has no samples")) == (
        EXIT_BAD_FILE,
        True,
    )
    assert not Path("x.html").exists() and not Path("x.svg").exists()


@pytest.mark.parametrize("name", ["empty", "empty.gz", "nothing.pb.gz"])
def test_nothing_is_compared_with_no_samples(name: str, saved: Path, capsys: Capture) -> None:
    for words in (("text", name), (name, "text")):
        code, line = fail(capsys, "diff", *words)
        assert code == EXIT_USAGE and f"{name} has no samples" in line


def test_empty_stdin_is_an_error(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code, line = fail(capsys, "report", "-")
    assert code == EXIT_BAD_FILE and "stdin has no samples" in line


def test_what_cannot_be_read_is_counted(saved: Path, capsys: Capture) -> None:
    code, out, err = run(capsys, "report", "damaged")
    assert (code, out) == (0, TEXT.decode())
    assert err == (
        "ebprof: warning: damaged: 2 of 4 lines cannot be read; "
        "line 3 is no folded stack: it does not end in a count\n"
    )


@pytest.mark.parametrize(
    "words", ["report damaged", "flame damaged -o x.html", "diff text damaged"]
)
def test_strict_refuses_what_cannot_be_read(words: str, saved: Path, capsys: Capture) -> None:
    code, line = fail(capsys, *words.split(), "--strict")
    assert code == EXIT_BAD_FILE and "damaged: 2 of 4 lines cannot be read" in line


def test_every_line_counts(saved: Path, capsys: Capture) -> None:
    out = run(capsys, "report", "python", "-f", "table")[1]
    assert "42 samples" in out and out.count(" 12  ") == 1 and out.count(" 30  ") == 1


def test_no_comm(saved: Path, capsys: Capture) -> None:
    out = run(capsys, "report", "text", "-f", "table", "--no-comm")[1]
    assert [line.split()[-1] for line in out.splitlines()[1:5]] == ["g", "f", "demo", "main"]


@pytest.mark.parametrize("words", ["report two", "flame two -o x.html", "diff two text"])
def test_comparisons_are_refused(words: str, saved: Path, capsys: Capture) -> None:
    code, line = fail(capsys, *words.split())
    assert code == EXIT_BAD_FILE and "two: it has two counts a line" in line


def test_what_has_no_names_is_said_to_people(saved: Path, capsys: Capture) -> None:
    Path("loop").write_text("python3;main;_PyEval_EvalFrameDefault 9\n")
    _, _, err = run(capsys, "report", "loop", "-f", "table")
    assert err.startswith("ebprof: a process is Python: its functions have no names here (100 %")
    _, _, err = run(capsys, "flame", "loop", "-o", "x.html")
    assert "a process is Python" in err
    assert run(capsys, "flame", "loop", "-q", "-o", "x.html")[2] == ""
    assert run(capsys, "report", "loop", "-f", "folded")[2] == ""
