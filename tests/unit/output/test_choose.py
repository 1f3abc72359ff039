from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from ebprof import output
from ebprof.errors import UsageError


def name(*arguments: Any) -> str:
    chosen: Any = output.choose(*arguments)
    return str(chosen.__name__).rpartition(".")[2]


def test_names() -> None:
    ours = {"flamegraph", "folded", "json", "jsonl", "pprof", "speedscope", "svg", "table"}
    assert ours <= set(output.names())


@pytest.mark.parametrize("path", [None, "-", "x.html"])
def test_the_asked_for_format_wins(path: str | None) -> None:
    assert name("pprof", path, True) == "pprof"


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("flame.html", "flamegraph"),
        ("FLAME.HTM", "flamegraph"),
        ("out.pb.gz", "pprof"),
        ("out.pprof", "pprof"),
        ("out.folded", "folded"),
        ("out.json", "json"),
        ("out.jsonl", "jsonl"),
        ("out.speedscope.json", "speedscope"),
        ("out.svg", "svg"),
        ("out.txt", "table"),
        ("/dev/null", "folded"),
    ],
)
def test_the_suffix_decides(path: str, format: str) -> None:
    assert name(None, path, True) == format


def test_a_terminal_gets_the_table_and_a_pipe_folded_stacks() -> None:
    assert name(None, None, True) == name(None, "-", True) == "table"
    assert name(None, None, False) == "folded"


@pytest.mark.parametrize("unknown", ["nope", "_tree", ""])
def test_an_unknown_format_is_refused_with_the_names(unknown: str) -> None:
    with pytest.raises(UsageError) as caught:
        output.choose(unknown, None, True)
    assert caught.value.message == f"unknown format: {unknown}"
    assert "folded, json, jsonl, pprof" in caught.value.hint


def test_formats_say_what_they_are() -> None:
    for format in output.names():
        module = output.choose(format, None, False)
        summary = (module.__doc__ or "").splitlines()[0]
        assert 20 < len(summary) <= 100 and summary.endswith((".", "`."))
        assert module.SUFFIXES


def test_choosing_imports_no_format_s_libraries() -> None:
    code = (
        "import sys; from ebprof import output; output.choose(None, 'x.svg', False);"
        "print(sorted({'google.protobuf', 'rich'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
