"""Modules of a package and entry points of others, under one name."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from ebprof import output, plugins


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the path with an installed distribution that has two output formats."""
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ebprof.outputs]\nfancy = other_fancy\nbroken = other_broken\nfolded = other_fancy\n"
    )
    (tmp_path / "other_fancy.py").write_text("NAME = 'fancy'\n")
    (tmp_path / "other_broken.py").write_text("import nothing_of_this_name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_our_modules_are_found_without_importing_them() -> None:
    assert {"folded", "pprof", "table"} <= set(plugins.module_names(output))
    assert not any(name.startswith("_") for name in plugins.module_names(output))


def test_a_third_partys_module_is_found_by_its_entry_point(third_party: Path) -> None:
    module = plugins.load(output, "fancy")
    assert isinstance(module, ModuleType)
    assert module.NAME == "fancy"
    assert {"fancy", "folded"} <= set(plugins.names(output))


def test_ours_come_before_theirs(third_party: Path) -> None:
    module = plugins.load(output, "folded")
    assert module is sys.modules["ebprof.output.folded"]


def test_one_that_fails_costs_one_warning(
    third_party: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plugins.load(output, "broken") is None
    (line,) = capsys.readouterr().err.splitlines()
    assert "broken" in line
    assert "nothing_of_this_name" in line


def test_what_nobody_has() -> None:
    assert plugins.load(output, "no-such-format") is None
