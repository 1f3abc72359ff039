"""The runner of other kernels, as far as it works without one; tests.vm itself is the rest."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.vm import initramfs, kernels, report, stamps
from tests.vm.errors import VmError
from tests.vm.machine import Outcome
from tests.vm.report import Row


def outcome(exit_code: int = 0, report: str = "") -> Outcome:
    return Outcome(exit_code, 1.0, report)


def junit(**counts: int) -> str:
    attributes = " ".join(f'{name}="{count}"' for name, count in counts.items())
    return f"<testsuites><testsuite {attributes}/></testsuites>"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"tests": 3, "failures": 0, "errors": 0, "skipped": 0}, "3 passed"),
        (
            {"tests": 9, "failures": 1, "errors": 2, "skipped": 3},
            "3 passed, 1 failed, 2 errors, 3 skipped",
        ),
        ({"tests": 1, "failures": 1, "errors": 0, "skipped": 0}, "1 failed"),
        ({"tests": 0, "failures": 0, "errors": 0, "skipped": 0}, "no tests ran"),
    ],
)
def test_a_report_of_pytest_becomes_counts(counts: dict[str, int], expected: str) -> None:
    assert report.result(outcome(report=junit(**counts))) == expected


def test_a_report_counts_what_was_not_chosen_as_the_kernel_cannot_do_it() -> None:
    text = (
        '<testsuites><testsuite tests="2" failures="0" errors="0" skipped="0"><properties>'
        '<property name="other" value="9"/><property name="not_run" value="7"/>'
        "</properties></testsuite></testsuites>"
    )
    assert report.result(outcome(report=text)) == "2 passed, 7 not run"


def test_a_command_without_report_has_an_exit_code() -> None:
    assert report.result(outcome(0)) == "ok"
    assert report.result(outcome(3)) == "exit code 3"


def test_the_table_is_aligned() -> None:
    rows = [Row("6.1", "6.1.0-50-amd64", "9", "ok"), Row("5.10", "-", "-", "no such kernel")]
    assert list(report.table(rows)) == [
        "KERNEL  RELEASE         SECONDS  RESULT",
        "6.1     6.1.0-50-amd64  9        ok",
        "5.10    -               -        no such kernel",
    ]


@pytest.mark.parametrize("series", ["", "6", "6.1.0", "6.1/..", "bookworm"])
def test_a_series_is_two_numbers(series: str) -> None:
    with pytest.raises(VmError, match="no kernel series"):
        kernels.get(series)


def test_a_directory_without_a_kernel_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "BUILT", tmp_path)
    (tmp_path / "6.1").mkdir()
    with pytest.raises(VmError, match=f"{tmp_path / '6.1'} holds no kernel"):
        kernels.get("6.1")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Some of what counts, and something that does not."""
    for name in ("ebprof/bpf/abi.h", "ebprof/unwind/code.c", "tests/vm/init.sh", "README.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_a_stamp_is_of_what_faces_the_kernel(repository: Path) -> None:
    before = stamps.current(repository)
    (repository / "README.md").write_text("changed")
    assert stamps.current(repository) == before
    for name in ("ebprof/unwind/code.c", "ebprof/bpf/new.bpf.c"):
        (repository / name).write_text(f"changed {name}")
        assert stamps.current(repository) != before
        before = stamps.current(repository)
    (repository / "ebprof/unwind/code.c").rename(repository / "ebprof/unwind/other.c")
    assert stamps.current(repository) != before


@pytest.mark.parametrize("pattern", stamps.SOURCES)
def test_nothing_that_faces_the_kernel_has_moved_away(pattern: str) -> None:
    assert [*stamps.ROOT.glob(pattern)]


def test_what_has_changed_since_it_passed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stamps, "STAMPS", tmp_path / "passed.txt")
    assert stamps.main(["6.1"]) == 1
    stamps.write("6.1", stamps.current())
    stamps.write("5.10", "older")
    assert stamps.main(["6.1"]) == 0
    capsys.readouterr()
    assert stamps.main(["6.1", "5.10"]) == 1
    assert capsys.readouterr().out.endswith("passed under 5.10\n")


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio here")
def test_another_program_unpacks_the_archive(tmp_path: Path) -> None:
    files = {"init": b"#!/bin/sh\n", "bin/odd": b"x" * 4097, "empty": b""}
    packed = initramfs.archive(["bin"], files)
    subprocess.run(["cpio", "-i", "--quiet"], input=packed, cwd=tmp_path, check=True)
    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert (tmp_path / "init").stat().st_mode & 0o777 == 0o755
