from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebprof import cli
from ebprof.errors import EXIT_BAD_FILE, EXIT_REGRESSION, EXIT_USAGE
from ebprof.output import pprof, write_file
from tests.builders import profile, stack
from tests.unit.commands.test_bad_input import fail

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to be in, with profiles: f has 10 % in `old` and 30 % in `new`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").write_text("demo;main;f 10\ndemo;main;g 90\n")
    (tmp_path / "new").write_text("demo;main;f 60\ndemo;main;g 140\n")
    return tmp_path


def run(capsys: Capture, *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["diff", *map(str, words)])
    return int(ended.value.code or 0), *capsys.readouterr()


def test_a_pipe_gets_two_counts_a_stack_and_nothing_else(saved: Path, capsys: Capture) -> None:
    assert run(capsys, "old", "new") == (0, "demo;main;f 20 60\ndemo;main;g 180 140\n", "")


@pytest.mark.parametrize(
    ("path", "start"),
    [("x.html", "<!DOCTYPE"), ("x.svg", "<?xml"), ("x.json", "{"), ("x.txt", " SELF A")],
)
def test_the_suffix_chooses_the_form(path: str, start: str, saved: Path, capsys: Capture) -> None:
    assert run(capsys, "old", "new", "-o", path) == (0, "", "")
    assert (saved / path).read_text().lstrip(" ").startswith(start.lstrip(" "))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--fail-above 20%", 0),
        ("--fail-above 19.9%", EXIT_REGRESSION),
        ("--fail-above 19.9 --absolute", EXIT_REGRESSION),
        ("--fail-above 0 --fail-on total", EXIT_REGRESSION),
        ("--fail-above 100%", 0),
    ],
)
def test_a_regression_has_its_own_exit_code(
    words: str, code: int, saved: Path, capsys: Capture
) -> None:
    ended, out, err = run(capsys, "old", "new", *words.split())
    assert ended == code
    assert out.count("\n") == 2
    assert err.count("\n") == bool(code)
    if code:
        assert "f +20.00 (10.00% to 30.00%)" in err and "main" not in err and "g " not in err


@pytest.fixture
def sliced(saved: Path) -> str:
    """A profile of 4 s, with f alone in the first half of it and g alone in the second."""
    samples = (
        stack(f"main;{'f' if second < 2 else 'g'}", 25, time_ns=second * 10**9)
        for second in range(4)
    )
    write_file(profile(*samples, slice_ns=10**9, duration_ns=4 * 10**9), pprof, "x.pb.gz")
    return "x.pb.gz"


def test_two_windows_of_one_recording(sliced: str, capsys: Capture) -> None:
    words = f"{sliced}@0s-2s", f"{sliced}@2s-", "-f", "json", "--fail-above", "5%"
    code, out, err = run(capsys, *words)
    assert code == EXIT_REGRESSION
    warning, regression = err.splitlines()
    assert warning.startswith("ebprof: warning: hardly any stack of A is in B: 0.00% of A's")
    assert regression.startswith("ebprof: self share grew by more than 5 points: g +100.00 ")
    found = json.loads(out)
    assert {one["function"]: one["self"]["points"] for one in found["functions"]} == {
        "f": -100,
        "g": 100,
    }
    assert [(found[one]["name"], found[one]["duration_ns"]) for one in "ab"] == [
        ("x.pb.gz@0s-2s", 2 * 10**9),
        ("x.pb.gz@2s-", 2 * 10**9),
    ]
    assert found["b"]["time_ns"] == found["a"]["time_ns"] + 2 * 10**9


def test_a_window_and_the_whole(sliced: str, capsys: Capture) -> None:
    code, out, _ = run(capsys, sliced, f"{sliced}@3s-4s", "--absolute")
    assert (code, out) == (0, "demo;main;f 13 0\ndemo;main;g 12 25\n")


def test_many_offenders_are_one_line(saved: Path, capsys: Capture) -> None:
    lines = [f"demo;f{number} 10\n" for number in range(8)]
    (saved / "many").write_text("".join([*lines, "demo;main;f 10\ndemo;main;g 110\n"]))
    code, _, err = run(capsys, "old", "many", "--fail-above", "1%", "-o", "x.txt")
    assert code == EXIT_REGRESSION
    assert err.startswith("ebprof: self share grew by more than 1 points: f0 +5.00 (0.00% to ")
    assert err.endswith("f4 +5.00 (0.00% to 5.00%), and 3 more\n")


def test_a_regression_is_one_also_if_nobody_reads(saved: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "ebprof", "diff", "old", "new", "--fail-above", "5%"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    assert done.returncode == EXIT_REGRESSION
    assert done.stderr.startswith(b"ebprof: self share grew") and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("old", "missing argument 'B'"),
        ("old new third", "unexpected extra argument (third)"),
        ("- -", "A and B cannot both be stdin"),
        ("old new -f nonesuch", "a comparison cannot be written as 'nonesuch': formats are"),
        ("old new -f pprof", "a comparison cannot be written as 'pprof': formats are"),
        ("old new -o x.pb.gz", "a comparison cannot be written as 'pprof'"),
        ("old new -f table --widths A", "--widths means nothing for table"),
        ("old new -o x.svg --rows 3", "--rows means nothing for svg"),
        ("old new -f table --rows 0", "0 is not in the range"),
        ("old new -f table --sort name", "'name' is not one of"),
        ("old new --fail-above", "requires an argument"),
        ("old new --fail-above five", "cannot read --fail-above 'five': write it like 5% or 0.5%"),
        ("old new --fail-above -5%", "cannot read --fail-above '-5%'"),
        ("old new --fail-above 101%", "cannot read --fail-above '101%'"),
        ("old new --fail-above 5%%", "cannot read --fail-above '5%%'"),
        ("old new --fail-on total", "--fail-on total needs a limit: add --fail-above 5%"),
        ("old new --map demo", "cannot read --map 'demo': write it like --map shop-2.0=shop-2.1"),
        ("old new --map =demo", "cannot read --map '=demo'"),
        ("old new --map demo=", "cannot read --map 'demo='"),
        ("old new --map a=b --map a=c", "--map gives 'a' two names: leave one of them out"),
        ("old empty", "empty has no samples"),
        ("old@0s-1s old@1s-2s", "old does not say when its samples were taken"),
        ("old new@1s", "cannot read window '1s' of new: write it like @0s-30s"),
    ],
)
def test_usage(words: str, says: str, saved: Path, capsys: Capture) -> None:
    (saved / "empty").touch()
    code, line = fail(capsys, "diff", *words.split())
    assert code == EXIT_USAGE
    assert says in line
    assert {path.name for path in saved.iterdir()} == {"old", "new", "empty"}


def test_names_are_as_people_write_them_in_forms_for_people(saved: Path, capsys: Capture) -> None:
    full = "f(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >)"
    (saved / "one").write_text(f"demo;main;{full} 3\ndemo;main 1\n")
    words = ("old", "one", "-f")
    for form in ("table", "svg", "flamegraph"):
        assert "f(std::string)" in run(capsys, *words, form)[1]
        assert "f(std::string)" not in run(capsys, *words, form, "--full-names")[1]
    for form in ("folded", "json"):
        assert full in run(capsys, *words, form)[1]


@pytest.fixture
def shops(saved: Path) -> Path:
    """Profiles of two versions of a program beside others."""
    (saved / "one").write_text("cron;run 2\nshop-1;main;f 49\nshop-1;main;g 49\n")
    (saved / "two").write_text("init;run 2\nshop-2;main;f 59\nshop-2;main;g 39\n")
    return saved


FORMS = {
    "folded": "shop-2;main;f 49 59\n",
    "json": '"function":"f","module":"","kind":"user","self":{"a":49,"b":59,',
    "table": "49.00%  59.00%  +10.00~",
    "svg": "<title>f (49.00% in A, 59.00% in B, +10.00 points)</title>",
    "flamegraph": '"a":[2,0,49,49],"b":[0,2,59,39]',
}


@pytest.mark.parametrize("form", FORMS)
def test_a_process_that_has_another_name(form: str, shops: Path, capsys: Capture) -> None:
    words = ("one", "two", "-f", form, "--map", "shop-1=shop-2")
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert FORMS[form] in out


def test_names_are_proposed_where_hardly_anything_matches(shops: Path, capsys: Capture) -> None:
    code, out, err = run(capsys, "one", "two")
    assert code == 0 and out.count("\n") == 6
    assert err == (
        "ebprof: warning: hardly any stack of A is in B: 0.00% of A's samples, 0.00% of B's;"
        " if a process or module was renamed, add --map shop-1=shop-2\n"
    )


def test_a_name_that_is_not_there(shops: Path, capsys: Capture) -> None:
    words = ("--map", "shop-1=shop-2", "--map", "shop-0=shop-3", "--map", "x=shop-2")
    code, _, err = run(capsys, "one", "two", *words)
    assert code == 0
    assert err.splitlines() == [
        "ebprof: warning: --map: A has no process and no module that is called shop-0",
        "ebprof: warning: --map: A has no process and no module that is called x",
        "ebprof: warning: --map: B has no process and no module that is called shop-3",
    ]


@pytest.mark.parametrize("words", ["old missing", "missing new", "old bad", "old new -o no/x"])
def test_files_that_cannot_be_used(words: str, saved: Path, capsys: Capture) -> None:
    (saved / "bad").write_text("main;f twelve\n")
    code, line = fail(capsys, "diff", *words.split())
    assert code == EXIT_BAD_FILE
    assert any(f" {name}" in line for name in ("missing", "bad", "no/x"))
