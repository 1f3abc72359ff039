"""A build says in one line what the system lacks, before it compiles anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from setuptools import build_meta

from native import backend, needed

ROOT = Path(__file__).parents[2]


def test_this_machine_lacks_nothing() -> None:
    assert needed.missing() == []
    needed.check()


@pytest.mark.parametrize("place", range(len(needed.NEEDS)))
def test_each_that_is_missing_is_named(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one = needed.NEEDS[place]
    gone = replace(one, include=one.include and "no/such.h", library=one.library and "nonesuch")
    others = [*needed.NEEDS[:place], gone, *needed.NEEDS[place + 1 :]]
    monkeypatch.setattr(needed, "NEEDS", tuple(others))
    with pytest.raises(SystemExit) as caught:
        needed.check()
    command = f"apt install {one.deb}" if shutil.which("apt-get") else f"dnf install {one.rpm}"
    assert str(caught.value) == f"ebprof cannot be built here: {one.what}: {command}"


ASK = "from native import backend; backend.get_requires_for_build_wheel()"


@pytest.mark.parametrize("words", [["-c", ASK], ["setup.py", "--version"]], ids=["pip", "setup"])
def test_without_a_compiler_there_is_one_line(tmp_path: Path, words: list[str]) -> None:
    """pip asks what a build requires before it installs that."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("ebprof cannot be built here: no C compiler (cc): ")
    assert done.stderr.endswith(" install gcc\n")


def test_a_backend_has_the_hooks_of_setuptools() -> None:
    for name in (
        "build_wheel",
        "build_sdist",
        "build_editable",
        "prepare_metadata_for_build_wheel",
    ):
        if name not in vars(backend):
            assert getattr(backend, name) is getattr(build_meta, name)
    assert "build_editable" in vars(backend), "pip 23 looks for it when there is no setuptools"
    assert backend.get_requires_for_build_editable() == list(backend.REQUIRES)
    assert not hasattr(backend, "nonesuch") and not hasattr(backend, "__path__")


def test_without_a_compiler_headers_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert needed.missing() == [needed.COMPILER]
    gone = [replace(one, include=one.include and f"no/{one.include}") for one in needed.NEEDS]
    monkeypatch.setattr(needed, "NEEDS", tuple(gone))
    assert needed.missing() == [needed.COMPILER, *(one for one in gone if one.include)]


@pytest.mark.parametrize(
    ("present", "command"),
    [({"dnf"}, "dnf install gcc libbpf-devel"), ({"apt-get"}, "apt install")],
)
def test_the_command_is_the_systems(
    present: set[str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name in present else None)
    found = [needed.COMPILER, *needed.NEEDS[2:]]
    assert needed.remedy(found).startswith(command)
    assert needed.remedy(found).count("libbpf") == 1
