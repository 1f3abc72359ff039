"""ebprof(1) as `man` shows it, and what it takes to make it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import click
import pytest

from ebprof import cli, commands, output, plugins
from ebprof.abi import STOP_REASONS
from ebprof.sampling.statistics import ALL_COUNTERS
from ebprof.traffic.monitor import COUNTERS as TRAFFIC_COUNTERS
from native import backend, man_page

ROOT = Path(__file__).parents[2]
WIDTH = 100
NAMES = plugins.module_names(commands)


@pytest.fixture(scope="module")
def shown() -> str:
    """The page as text of WIDTH columns, after a check that roff has nothing to say about it."""
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", "-ww", f"-rLL={WIDTH}n"],
        input=man_page.render(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def section(text: str, name: str) -> str:
    """What stands below a heading of a command, without line breaks."""
    found = re.search(rf"^   ebprof {name}\n(.*?)(?=^ ? ? ?\S)", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_man_shows_it(tmp_path: Path) -> None:
    page = tmp_path / "ebprof.1"
    page.write_text(man_page.render())
    done = subprocess.run(
        ["man", "--warnings", "--local-file", page],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": str(WIDTH), "LC_ALL": "C"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("EBPROF(1)")


@pytest.mark.parametrize("name", NAMES)
def test_every_option_and_its_help_are_there(shown: str, name: str) -> None:
    command = plugins.load(commands, name).command
    text = section(shown, name)
    words = " ".join(text.split())
    below = command.commands.values() if isinstance(command, click.Group) else ()
    every = [one for each in (command, *below) for one in each.params]
    options = [one for one in every if isinstance(one, click.Option) and not one.hidden]
    for option in options:
        names = ", ".join(option.opts)
        assert re.search(rf"^       {re.escape(names)}\b", text, re.MULTILINE), names
        assert " ".join((option.help or "").split()) in words
    assert "-h, --help" in text


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_as_they_were_written(shown: str, name: str) -> None:
    help = plugins.load(commands, name).command.help
    examples = help.partition("\b\n")[2].split("\n\n")[0].splitlines()
    lines = [line.strip() for line in section(shown, name).splitlines()]
    assert examples
    for example in examples:
        assert example.strip() in lines


def test_exit_codes_are_there(shown: str) -> None:
    words = " ".join(shown.partition("EXIT STATUS")[2].split())
    assert (cli.ebprof.epilog or "") in words


def part(text: str, name: str) -> str:
    """What stands in a section, without line breaks."""
    found = re.search(rf"^{name}\n(.*?)(?=^\S)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return " ".join(found[1].split())


def test_formats_are_there(shown: str) -> None:
    said = part(shown, "FORMATS")
    for name in plugins.module_names(output):
        suffixes = import_module(f"ebprof.output.{name}").SUFFIXES
        assert f" {name} {', '.join(suffixes)}: " in said


def test_stop_reasons_are_there(shown: str) -> None:
    said = part(shown, "STOP REASONS")
    assert len(STOP_REASONS) > 10
    for one in STOP_REASONS:
        assert f"{one.name} {one.help}" in said


def test_counters_are_there(shown: str) -> None:
    said = part(shown, "COUNTERS")
    for one in (*ALL_COUNTERS, *TRAFFIC_COUNTERS):
        assert f"{one.name} {one.help}" in said


def test_examples_and_files_have_a_section(shown: str) -> None:
    assert "ebprof traffic --to :6379 --by peer" in part(shown, "EXAMPLES")
    assert "/tmp/perf-PID.map" in part(shown, "FILES")


def test_help_refers_to_it() -> None:
    assert "`man ebprof`" in (cli.ebprof.help or "")


def test_text_is_never_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'First.\n\n.so /etc/passwd\n\'br\n\\n(.z \\fBx "quoted" `tick` a-b'
    monkeypatch.setattr(cli.ebprof, "help", text)
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", "-ww"],
        input=man_page.render(),
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    described = done.stdout.partition("DESCRIPTION")[2].split("--version")[0]
    expected = '.so /etc/passwd \'br \\n(.z \\fBx "quoted" `tick` a-b'
    assert " ".join(described.split()) == expected


def test_a_build_has_what_the_commands_import() -> None:
    required = dict(named(backend.REQUIRES))
    code = "import sys, native.man_page as page; page.render(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    packages = {"elftools": "pyelftools", "google": "protobuf"}
    for name, version in named(dependencies()):
        module = next((one for one, package in packages.items() if package == name), name)
        assert module not in loaded or required.get(name) == version, name


def dependencies() -> list[str]:
    """Those of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    return re.findall(r'^ +"(.*)"', block[1], re.MULTILINE)


def named(requirements: Iterable[str]) -> list[tuple[str, str]]:
    """Names and versions."""
    found = (re.match(r"([\w-]+)([^;]*)", one) for one in requirements)
    return [(one[1], one[2]) for one in found if one]
