"""Modules of a package and entry points of others, under one name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

import pytest

from ebprof import commands, events, output, plugins, symbolizers
from ebprof.commands import CommandModule
from ebprof.errors import EbprofError
from ebprof.events import EventKind
from ebprof.output import OutputFormat
from ebprof.symbolizers import Runtime


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


def test_all_of_them_are_ours_first_and_theirs_are_not_looked_up_before(
    third_party: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []

    def entries(package: ModuleType, real: Any = plugins._entries) -> Any:
        looked_up.append(package)
        return real(package)

    monkeypatch.setattr(plugins, "_entries", entries)
    found = plugins.each(output, object)
    own = [next(found) for _ in plugins.module_names(output)]
    assert [one.__package__ for one in own] == [output.__name__] * len(own)
    assert looked_up == []
    assert [getattr(one, "NAME", None) for one in found] == [None, "fancy"]
    assert looked_up


def test_what_nobody_has() -> None:
    assert plugins.load(output, "no-such-format") is None


@runtime_checkable
class Fancy(Protocol):
    """What `other_fancy` is, but for the colour."""

    NAME: str
    colour: str


def test_one_that_lacks_something_costs_one_warning(
    third_party: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plugins.load(output, "fancy", Fancy) is None
    assert plugins.load(output, "fancy", Fancy) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "ebprof: plug-in fancy (other_fancy) is no Fancy: it has no colour"


@pytest.mark.parametrize(
    ("package", "protocol"),
    [
        (commands, CommandModule),
        (events, EventKind),
        (output, OutputFormat),
        (symbolizers, Runtime),
    ],
)
def test_ours_follow_the_protocols_of_theirs(package: ModuleType, protocol: type) -> None:
    for name in plugins.module_names(package):
        assert isinstance(plugins.load(package, name), protocol), name


@pytest.mark.parametrize("group", ["commands", "events", "outputs", "symbolizers"])
def test_a_broken_one_of_any_group_leaves_the_others(group: str, tmp_path: Path) -> None:
    info = tmp_path / "bad-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ebprof.{group}]\nbad = bad_one\n")
    (tmp_path / "bad_one.py").write_text("command = find = write = open_process = 1 / 0\n")
    (tmp_path / "p.folded").write_text("a;b 1\n")
    script = (
        "import os\n"
        "from ebprof import cli, events\n"
        "from ebprof.symbolize import Symbolizer\n"
        "list(events.listing())\n"
        "Symbolizer(cache=None).jit_locations(os.getpid(), [1])\n"
        f"try: cli.main(['report', '{tmp_path}/p.folded', '-o', '{tmp_path}/p.svg'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "cli.main(['--help'])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "bad_one" in line]
    assert len(warnings) == 1
    assert "ZeroDivisionError" in warnings[0]
    assert (tmp_path / "p.svg").exists()


def test_what_a_third_party_raises_names_it() -> None:
    message = "plug-in builtins cannot write: ValueError"
    with pytest.raises(EbprofError, match=message), plugins.blaming(object(), "write"):
        raise ValueError("x")
    ours = output.choose("svg", None, False)
    with pytest.raises(ValueError, match="x"), plugins.blaming(ours, "write"):
        raise ValueError("x")
