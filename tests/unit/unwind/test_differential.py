"""A sample of `python -m tests.differential`, and that it would see a difference."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ebprof._native import lib
from ebprof.unwind.compile import FrameSection, UnwindRows
from tests.differential import eh_frame_readelf, files, report
from tests.differential.__main__ import PLACES, main
from tests.differential.eh_frame_readelf import compare_file, compile_rows
from tests.differential.results import Result

SAMPLE = 60
LARGEST = 300_000
LIBRARY = Path("/usr/lib/x86_64-linux-gnu/libm.so.6")

pytestmark = pytest.mark.skipif(not shutil.which("readelf"), reason="no readelf here")


def test_a_sample_of_this_machines_programs_agrees() -> None:
    paths = files.elf_files(map(Path, PLACES))
    small = [path for path in paths if path.stat().st_size < LARGEST]
    results = [Result.of(path) for path in files.spread(small, SAMPLE)]
    assert {result.path: result.differ for result in results if result.differ} == {}
    compared = [result for result in results if not result.problem]
    assert len(compared) > SAMPLE / 2
    for one in compared:
        assert one.rows == one.agree + one.expression + one.unsupported + one.overlapping
    rows = sum(one.rows for one in compared)
    assert sum(one.agree for one in compared) > 0.98 * rows


def test_the_command_prints_a_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.differential.results.KEPT", tmp_path / "kept")
    place = tmp_path / "bin"
    place.mkdir()
    shutil.copy(shutil.which("true") or "/bin/true", place)
    (place / "link").symlink_to("true")
    (place / "script").write_text("#!/bin/sh\n")
    assert main([str(place), "--jobs", "1"]) == 0
    first = capsys.readouterr().out
    assert first.splitlines()[2].split()[:2] == ["all", "1"]
    assert main([str(place), "--jobs", "1"]) == 0
    assert capsys.readouterr().out == first
    assert len(list((tmp_path / "kept").iterdir())) == 1


@pytest.mark.parametrize("field", ["cfa_offset", "fp_offset", "ra_offset", "is_signal"])
def test_a_wrong_rule_is_seen(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(section: FrameSection) -> UnwindRows:
        rows = compile_rows(section)
        dictionary = rows.dictionary.copy()
        used = np.flatnonzero(dictionary["fp_kind"] == lib.FP_AT_CFA)
        dictionary[field][used[0]] ^= 1
        return replace(rows, dictionary=dictionary)

    monkeypatch.setattr(eh_frame_readelf, "compile_rows", wrong)
    assert differences(LIBRARY) > 0


def test_a_moved_or_missing_row_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(section: FrameSection) -> UnwindRows:
        rows = compile_rows(section)
        offsets = rows.offsets.copy()
        offsets[len(offsets) // 2] += 1
        return replace(rows, offsets=offsets)

    def missing(section: FrameSection) -> UnwindRows:
        rows = compile_rows(section)
        kept = np.arange(len(rows.offsets)) != len(rows.offsets) // 2
        return replace(rows, offsets=rows.offsets[kept], rules=rows.rules[kept])

    for change in (moved, missing):
        monkeypatch.setattr(eh_frame_readelf, "compile_rows", change)
        assert differences(LIBRARY) > 0


def differences(path: Path) -> int:
    if not path.exists():
        pytest.skip(f"no {path} here")
    comparison = compare_file(path)
    assert comparison is not None
    return comparison.differ.total()


def test_exceptions_are_explained() -> None:
    results = [
        Result("/usr/bin/a", rows=10, agree=8, unsupported=1, overlapping=1, reasons={"why": 1}),
        Result("/usr/bin/b", problem="no unwind information"),
        Result("/usr/lib/x/c", rows=2, agree=1, differ={"x read as y": 1}),
    ]
    text = report.table(results)
    for part in ("1  why", "1  no unwind information", "1  /usr/bin/a", "1  x read as y"):
        assert part in text
    assert "75.000 %" in next(line for line in text.splitlines() if line.startswith("all"))
